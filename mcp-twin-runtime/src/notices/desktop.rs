//! The desktop of this machine, behind a trait, since few places that build mcp-twin have one.

/// Shows a message to whoever sits before this machine.
pub trait Notifier: Send + Sync {
    /// Shows it. May block.
    ///
    /// # Errors
    /// Why nobody sees it.
    fn show(&self, title: &str, text: &str) -> Result<(), String>;
}

/// Why nothing is shown on a desktop.
pub const MISSING: &str = "`kind = \"desktop\"` shows nothing: this mcp-twin was built without the feature `desktop` \
     (`cargo install mcp-twin-cli --features desktop` has it)";

/// The desktop of this machine, if this build knows how to reach it.
#[cfg(feature = "desktop")]
#[must_use]
pub fn system_notifier() -> Option<std::sync::Arc<dyn Notifier>> {
    Some(std::sync::Arc::new(SystemNotifier))
}

/// The desktop of this machine, if this build knows how to reach it.
#[cfg(not(feature = "desktop"))]
#[must_use]
pub fn system_notifier() -> Option<std::sync::Arc<dyn Notifier>> {
    None
}

/// The notifications of the system: over D-Bus on Linux, the notification centres elsewhere.
#[cfg(feature = "desktop")]
struct SystemNotifier;

#[cfg(feature = "desktop")]
impl Notifier for SystemNotifier {
    fn show(&self, title: &str, text: &str) -> Result<(), String> {
        let mut shown = notify_rust::Notification::new();
        shown.appname("mcp-twin").summary(title).body(text);
        shown.show().map(drop).map_err(|error| format!("the desktop does not take it: {error}"))
    }
}
