//! The signature of a webhook's bytes.

use std::fmt::Write as _;

/// The header that carries the signature.
pub const SIGNATURE_HEADER: &str = "mcp-twin-signature";

/// `t=TIME,v1=HEX`: HMAC-SHA256, by this secret, of the time in seconds, a dot and the bytes of the body. The time stands in
/// it so that a receiver can refuse what is sent to it a second time by others.
#[must_use]
pub fn signature(secret: &[u8], time: u64, body: &[u8]) -> String {
    let mut mac = hmac_sha256::HMAC::new(secret);
    mac.update(format!("{time}."));
    mac.update(body);
    mac.finalize().iter().fold(format!("t={time},v1="), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
