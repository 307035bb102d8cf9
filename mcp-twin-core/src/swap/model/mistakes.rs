//! Each known mistake is found: a model that finds nothing when a rule is broken proves nothing when it finds nothing.
