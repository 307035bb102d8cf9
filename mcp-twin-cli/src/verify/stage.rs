//! What runs at the moment, so that it can be ended from outside.

use mcp_twin_runtime::bare::Bare;
use mcp_twin_runtime::embedded::Front;
use mcp_twin_runtime::process::StopOrder;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::Mutex;

/// For what is in the way of our own end.
const NOW: StopOrder = StopOrder { term: Duration::ZERO, kill: Duration::from_secs(1) };

/// The front or the bare server that runs.
#[derive(Default)]
pub(crate) struct Stage {
    front: RefCell<Option<Rc<Front>>>,
    bare: RefCell<Option<Rc<Mutex<Bare>>>>,
    name: RefCell<String>,
}

impl Stage {
    /// A front runs from now on.
    pub(crate) fn enter(&self, front: Front) -> Rc<Front> {
        front.server().clone_into(&mut self.name.borrow_mut());
        let front = Rc::new(front);
        *self.front.borrow_mut() = Some(Rc::clone(&front));
        front
    }

    /// A bare server runs from now on.
    pub(crate) fn enter_bare(&self, bare: Bare) -> Rc<Mutex<Bare>> {
        let bare = Rc::new(Mutex::new(bare));
        *self.bare.borrow_mut() = Some(Rc::clone(&bare));
        bare
    }

    /// The server's name, as fronts know it; empty before the first.
    pub(crate) fn name(&self) -> String {
        self.name.borrow().clone()
    }

    /// Ends whatever runs, and returns when it is gone.
    pub(crate) async fn clear(&self) {
        let (front, bare) = (self.front.borrow_mut().take(), self.bare.borrow_mut().take());
        if let Some(front) = front {
            front.close().await;
        }
        if let Some(bare) = bare {
            bare.lock().await.stop(NOW).await;
        }
    }
}
