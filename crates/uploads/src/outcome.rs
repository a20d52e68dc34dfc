//! What became of an upload's bytes.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::future::poll_fn;
use core::task::{Poll, Waker};

use proto::error::ImageError;

/// The end of one upload, and those that want to know: two programs may send the same image at the same time.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    result: RefCell<Option<Result<(), ImageError>>>,
    wakers: RefCell<Vec<Waker>>,
}

impl Outcome {
    pub(crate) async fn get(&self) -> Result<(), ImageError> {
        poll_fn(|context| match &*self.result.borrow() {
            Some(result) => Poll::Ready(result.clone()),
            None => {
                let mut wakers = self.wakers.borrow_mut();
                if !wakers.iter().any(|known| known.will_wake(context.waker())) {
                    wakers.push(context.waker().clone());
                }
                Poll::Pending
            }
        })
        .await
    }

    fn set(&self, result: Result<(), ImageError>) {
        self.result.replace(Some(result));
        self.wakers.take().into_iter().for_each(Waker::wake);
    }
}

/// The duty to tell the outcome. Dropped before it was told, the upload is one that was never begun.
#[derive(Debug)]
pub(crate) struct Duty(Option<Rc<Outcome>>);

impl Duty {
    pub(crate) fn new(outcome: Rc<Outcome>) -> Self {
        Self(Some(outcome))
    }

    pub(crate) fn tell(mut self, result: Result<(), ImageError>) {
        if let Some(outcome) = self.0.take() {
            outcome.set(result);
        }
    }
}

impl Drop for Duty {
    fn drop(&mut self) {
        if let Some(outcome) = self.0.take() {
            outcome.set(Err(ImageError::NotBegun));
        }
    }
}
