pub(crate) fn run(_: &[String]) -> crate::exec::Result {
    crate::exec::fail("x")
}
