//! The Rust part of the Python module `mcp_twin`: fronts in a Python process, and what else of mcp-twin a program asks for.
//!
//! It has no logic of its own: the fronts are those of [`mcp_twin_runtime::embedded`], and the manners of Python (classes,
//! exceptions, threads, asyncio) are those of the files in `python/mcp_twin`. Between the two go texts of JSON. Whatever takes
//! time is begun here and answered through a function of Python's, so that no thread of Python's ever waits inside of Rust.

mod done;
mod front;
mod machine;

use pyo3::prelude::*;

/// What `mcp_twin._native` holds.
#[pymodule(gil_used = true)]
mod _native {
    use super::*;
    #[pymodule_export]
    use crate::front::{Events, Front, begin};
    #[pymodule_export]
    use crate::machine::{
        ask_other, assign_ports, detect_servers, extract_script_path, hash_code, history, logs, running, starts,
        version,
    };

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let names = [
            "Events",
            "Front",
            "ask_other",
            "assign_ports",
            "begin",
            "detect_servers",
            "extract_script_path",
            "hash_code",
            "history",
            "logs",
            "running",
            "starts",
            "version",
        ];
        module.add("__all__", names.to_vec())
    }
}
