//! The steps of a change, as the tests stop at them.

/// A moment at which a change can be cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The backup is written.
    BackedUp,
    /// The journal says what is about to be done.
    Noted,
    /// The new text is in its temporary file.
    Written,
    /// The old text was found unchanged.
    Compared,
    /// The new text stands in the place of the old one.
    Renamed,
    /// The journal says that it is done.
    Done,
}

/// Says that a step is behind us.
#[cfg(not(test))]
pub(super) fn reached(_step: Step) {}

#[cfg(test)]
pub(super) use super::tests::reached;
