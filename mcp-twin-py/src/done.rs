//! How an answer gets to Python: one call of a function, with the value or with what went wrong.

use mcp_twin_runtime::embedded::binding::{Trouble, spawn_answered};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::future::Future;

/// A function of Python's, `done(value, trouble)`, that is called once. All of them are called on one thread, one after the other:
/// `_call.py` relies on it when it waits for the last of them at the end of a program.
pub struct Done(Py<PyAny>);

impl Done {
    /// This function.
    pub fn new(function: Py<PyAny>) -> Self {
        Self(function)
    }

    /// Says how it ended. A Python that is going hears nothing more, and needs nothing more.
    fn call<T>(self, value: Result<T, Trouble>)
    where
        T: for<'py> IntoPyObject<'py>,
    {
        let _ = Python::try_attach(|py| {
            let said = match value {
                Ok(value) => self.0.call1(py, (value, py.None())),
                Err(trouble) => self.0.call1(py, (py.None(), trouble.json())),
            };
            if let Err(error) = said {
                // It is ours (`_call.py`), and only wakes who waits: nobody else could be told.
                error.write_unraisable(py, None);
            }
        });
    }

    /// Does this on the thread of what takes time, and says how it ended.
    ///
    /// # Errors
    /// There is no such thread.
    pub fn with<T>(self, work: impl Future<Output = Result<T, Trouble>> + Send + 'static) -> PyResult<()>
    where
        T: for<'py> IntoPyObject<'py> + Send + 'static,
    {
        spawn_answered(work, |value| self.call(value)).map_err(|trouble| thrown(&trouble))
    }
}

/// Thrown at once, by what takes no time: the text is the JSON, which Python makes its own exception of.
pub fn thrown(trouble: &Trouble) -> PyErr {
    PyRuntimeError::new_err(trouble.json())
}
