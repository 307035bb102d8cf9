//! x
/// x
#[derive(Clone, Debug)]
pub struct Launch {
    /// x
    pub launcher: bool,
}
