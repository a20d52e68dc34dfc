//! A guest's two ring pages, lent to the tasks that serve them and taken back at any moment.
//!
//! A domain whose pages somebody still maps is not freed when it is destroyed: it stays as a zombie. Tasks end when
//! their executor comes round to them, which is too late. So tasks hold a [`RingPage`], a window that the
//! toolstack can shut: afterwards it reads as zeros, which every ring takes for "nothing to do", and swallows
//! writes.

use alloc::rc::Rc;
use core::cell::RefCell;

use ring::Shared;
use xen_abi::PAGE_SIZE;

/// The owner's end: the mapping of a guest's ring pages.
#[derive(Debug)]
pub(crate) struct RingPages<R>(Rc<RefCell<Option<R>>>);

impl<R: Shared> RingPages<R> {
    pub(crate) fn new(mapping: R) -> Self {
        Self(Rc::new(RefCell::new(Some(mapping))))
    }

    /// A window on the `n`-th page of the mapping.
    pub(crate) fn page(&self, n: usize) -> RingPage<R> {
        RingPage { pages: self.0.clone(), start: n * PAGE_SIZE }
    }
}

impl<R> Drop for RingPages<R> {
    /// Unmaps the pages, whoever has windows on them.
    fn drop(&mut self) {
        self.0.take();
    }
}

/// A window on one page that is shared with a guest, for a task that serves it.
///
/// All zeros, and deaf, once the toolstack has taken the page back; [`Self::is_shut`] tells.
#[derive(Debug)]
pub struct RingPage<R> {
    pages: Rc<RefCell<Option<R>>>,
    start: usize,
}

impl<R> RingPage<R> {
    /// Whether the page was taken back: the task has nothing left to serve.
    pub fn is_shut(&self) -> bool {
        self.pages.borrow().is_none()
    }
}

impl<R: Shared> Shared for RingPage<R> {
    fn load_u32(&self, offset: usize) -> u32 {
        self.pages.borrow().as_ref().map_or(0, |pages| pages.load_u32(self.start + offset))
    }

    fn store_u32(&self, offset: usize, value: u32) {
        if let Some(pages) = &*self.pages.borrow() {
            pages.store_u32(self.start + offset, value);
        }
    }

    fn read(&self, offset: usize, into: &mut [u8]) {
        match &*self.pages.borrow() {
            Some(pages) => pages.read(self.start + offset, into),
            None => into.fill(0),
        }
    }

    fn write(&self, offset: usize, from: &[u8]) {
        if let Some(pages) = &*self.pages.borrow() {
            pages.write(self.start + offset, from);
        }
    }
}

#[cfg(test)]
mod tests {
    use ring::testing::Memory;

    use super::*;

    #[test]
    fn a_window_shows_its_page_until_it_is_shut() {
        let memory = Memory::new(2 * PAGE_SIZE);
        let pages = RingPages::new(memory.clone());
        let second = pages.page(1);
        second.write(8, &[1, 2, 3, 4]);
        second.store_u32(12, 9);
        assert_eq!(memory.load_u32(PAGE_SIZE + 8), 0x0403_0201);
        assert_eq!(memory.load_u32(PAGE_SIZE + 12), 9);
        assert!(!second.is_shut());

        drop(pages);
        assert!(second.is_shut());
        let mut bytes = [7; 4];
        second.read(8, &mut bytes);
        assert_eq!(bytes, [0; 4]);
        assert_eq!(second.load_u32(12), 0);
        second.write(8, &[5; 4]);
        second.store_u32(12, 5);
        assert_eq!(memory.load_u32(PAGE_SIZE + 8), 0x0403_0201, "nothing is written after the end");
        assert_eq!(memory.load_u32(PAGE_SIZE + 12), 9);
    }
}
