//! What the linker is to be told of an addon.

fn main() {
    napi_build::setup();
}
