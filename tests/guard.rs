//! Memory with a forbidden page on either side: whoever reads or writes past the end faults.
#![allow(unsafe_code, reason = "guard pages: mapping memory and forbidding access to parts of it")]

use bytemuck::Pod;
use std::alloc::{GlobalAlloc, Layout, System};
use std::ops::{Deref, DerefMut};

/// A copy of `values` that ends where a forbidden page begins.
///
/// ```
/// let mut values = tilewise_tests::guarded(&[1.0f32, 2.0]);
/// values[0] = 3.0;
/// assert_eq!(*values, [3.0, 2.0]);
/// ```
pub fn guarded<T: Pod>(values: &[T]) -> Guarded<T> {
    Guarded::new(values, true)
}

/// A copy of `values` that begins where a forbidden page ends.
pub fn guarded_front<T: Pod>(values: &[T]) -> Guarded<T> {
    Guarded::new(values, false)
}

/// Values between forbidden pages.
#[derive(Debug)]
pub struct Guarded<T> {
    values: *mut T,
    len: usize,
    #[cfg(unix)]
    _map: pages::Map,
    #[cfg(not(unix))]
    _storage: Vec<T>,
}

// SAFETY: it owns its values, like a vector.
unsafe impl<T: Send> Send for Guarded<T> {}
// SAFETY: shared access only reads.
unsafe impl<T: Sync> Sync for Guarded<T> {}

impl<T: Pod> Guarded<T> {
    #[cfg(unix)]
    fn new(values: &[T], at_end: bool) -> Self {
        let map = pages::Map::new(size_of_val(values));
        let (middle, bytes) = map.middle();
        let offset = if at_end { bytes - size_of_val(values) } else { 0 };
        // SAFETY: the middle is at least as long as the values.
        let start = unsafe { middle.add(offset) }.cast::<T>();
        assert!(start.is_aligned(), "pages are aligned more than any plain type");
        // SAFETY: mapped for this value alone, aligned as just checked, and long enough.
        unsafe { start.copy_from_nonoverlapping(values.as_ptr(), values.len()) };
        Guarded { values: start, len: values.len(), _map: map }
    }

    /// Without pages to forbid, plain memory.
    #[cfg(not(unix))]
    fn new(values: &[T], _at_end: bool) -> Self {
        let mut storage = values.to_vec();
        Guarded { values: storage.as_mut_ptr(), len: values.len(), _storage: storage }
    }
}

impl<T> Deref for Guarded<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `new` wrote so many values there, and the storage lives as long as `self`.
        unsafe { std::slice::from_raw_parts(self.values, self.len) }
    }
}

impl<T> DerefMut for Guarded<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above; `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.values, self.len) }
    }
}

/// An allocator that ends whatever is aligned to a cache line or more (packed weights, scratch)
/// where a forbidden page begins, as nearly as its alignment allows: to the byte for whole cache
/// lines, and for what begins on a large page and is whole pages long.
#[derive(Clone, Copy, Debug)]
pub struct GuardedLines;

#[cfg(unix)]
impl GuardedLines {
    fn guards(layout: Layout) -> bool {
        layout.align() >= 64
    }
}

#[cfg(unix)]
// SAFETY: the pages of a map are handed out once, and given back by the layout they were made for.
unsafe impl GlobalAlloc for GuardedLines {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !Self::guards(layout) {
            // SAFETY: by the caller's promise.
            return unsafe { System.alloc(layout) };
        }
        pages::block(layout)
    }

    unsafe fn dealloc(&self, storage: *mut u8, layout: Layout) {
        if !Self::guards(layout) {
            // SAFETY: by the caller's promise.
            return unsafe { System.dealloc(storage, layout) };
        }
        // SAFETY: `alloc` made the block for this layout.
        unsafe { pages::release(storage, layout) }
    }
}

#[cfg(not(unix))]
// SAFETY: it is the system's allocator.
unsafe impl GlobalAlloc for GuardedLines {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, storage: *mut u8, layout: Layout) {
        // SAFETY: by the caller's promise.
        unsafe { System.dealloc(storage, layout) }
    }
}

#[cfg(unix)]
mod pages {
    use super::Layout;
    use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
    use std::ptr;

    /// A mapping whose first and last page may not be touched.
    #[derive(Debug)]
    pub(super) struct Map {
        start: *mut u8,
        bytes: usize,
        page: usize,
    }

    impl Map {
        pub(super) fn new(bytes: usize) -> Self {
            let page = rustix::param::page_size();
            let bytes = bytes.next_multiple_of(page) + 2 * page;
            let access = ProtFlags::READ | ProtFlags::WRITE;
            // SAFETY: a new anonymous mapping, where the system likes.
            let start = unsafe {
                mmap_anonymous(ptr::null_mut(), bytes, access, MapFlags::PRIVATE).expect("memory")
            };
            let map = Map { start: start.cast(), bytes, page };
            for offset in [0, bytes - page] {
                // SAFETY: whole pages of the mapping just made, which nobody uses yet.
                unsafe { mprotect(start.byte_add(offset), page, MprotectFlags::empty()) }
                    .expect("a page can be forbidden");
            }
            map
        }

        /// Where the pages between the forbidden ones begin, and their bytes.
        pub(super) fn middle(&self) -> (*mut u8, usize) {
            // SAFETY: within the mapping.
            (unsafe { self.start.add(self.page) }, self.bytes - 2 * self.page)
        }
    }

    impl Drop for Map {
        fn drop(&mut self) {
            // SAFETY: the mapping made in `new`; its owner gives up the values with it.
            let unmapped = unsafe { munmap(self.start.cast(), self.bytes) };
            debug_assert!(unmapped.is_ok(), "a mapping of our own");
        }
    }

    /// Storage that ends where a forbidden page begins, as nearly as its alignment allows, and
    /// begins behind another: `[forbidden][pages of the storage][forbidden]`.
    pub(super) fn block(layout: Layout) -> *mut u8 {
        let (page, align) = (rustix::param::page_size(), layout.align());
        let room = layout.size().next_multiple_of(page);
        let slack = if align > page { align } else { 0 };
        let (all, access) = (room + 2 * page + slack, ProtFlags::READ | ProtFlags::WRITE);
        // SAFETY: a new anonymous mapping, where the system likes; null is what the caller of an
        // allocator expects when there is none.
        let Ok(map) = (unsafe { mmap_anonymous(ptr::null_mut(), all, access, MapFlags::PRIVATE) })
        else {
            return ptr::null_mut();
        };
        let before = (map.addr() + page).next_multiple_of(align.max(page)) - map.addr() - page;
        // SAFETY: all within the mapping just made, which nobody uses yet; what lies before and
        // behind the block is given back.
        unsafe {
            let block = map.byte_add(before);
            let behind = block.byte_add(room + 2 * page);
            unmap(map.cast(), before);
            unmap(behind.cast(), all - before - room - 2 * page);
            for forbidden in [block, block.byte_add(page + room)] {
                mprotect(forbidden, page, MprotectFlags::empty()).expect("a page can be forbidden");
            }
            let last = if align > page { 0 } else { (room - layout.size()) / align * align };
            block.byte_add(page + last).cast()
        }
    }

    /// Gives a block back.
    ///
    /// # Safety
    /// [`block`] made it for that layout, and nobody uses it any more.
    pub(super) unsafe fn release(storage: *mut u8, layout: Layout) {
        let page = rustix::param::page_size();
        let room = layout.size().next_multiple_of(page);
        // SAFETY: the storage begins in the first page behind the forbidden one.
        unsafe { unmap(storage.sub(storage.addr() % page + page), room + 2 * page) }
    }

    /// Gives pages back, if there are any.
    ///
    /// # Safety
    /// They are whole pages of a mapping, and nobody uses them.
    unsafe fn unmap(start: *mut u8, bytes: usize) {
        if bytes > 0 {
            // SAFETY: by the caller's promise.
            let unmapped = unsafe { munmap(start.cast(), bytes) };
            debug_assert!(unmapped.is_ok(), "a mapping of our own");
        }
    }
}
