//! A clock that stands still.

use super::shared::Shared;
use crate::host::Clock;
use crate::time::Moment;
use async_trait::async_trait;
use std::time::Duration;

/// A clock that is moved by hand; whoever sleeps until a time that has come wakes.
///
/// ```
/// use futures_util::FutureExt;
/// use mcp_twin_core::Moment;
/// use mcp_twin_core::host::Clock;
/// use mcp_twin_core::testing::ManualClock;
/// use std::time::Duration;
///
/// let clock = ManualClock::default();
/// let mut nap = clock.sleep_until(Moment::ZERO + Duration::from_secs(5));
/// assert!((&mut nap).now_or_never().is_none());
/// clock.advance(Duration::from_secs(5));
/// assert!(nap.now_or_never().is_some());
/// ```
#[derive(Clone, Debug, Default)]
pub struct ManualClock(Shared<Moment>);

impl ManualClock {
    /// Time goes by.
    pub fn advance(&self, by: Duration) {
        self.0.change(|now| *now = *now + by);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Moment {
        self.0.read(|now| *now)
    }

    async fn sleep_until(&self, at: Moment) {
        self.0.wait(|now| (*now >= at).then_some(())).await;
    }
}
