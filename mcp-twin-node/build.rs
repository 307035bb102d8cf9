//! What the linker is to be told of an addon.

fn main() {
    let target = |name: &str| std::env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    // It would look for a libnode.dll. With `dyn-symbols` an addon is linked with nothing of Node's.
    if target("OS") != "windows" || target("ENV") != "gnu" {
        napi_build::setup();
    }
}
