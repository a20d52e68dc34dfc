//! Whatever is allocated and freed in whatever order: blocks are apart, aligned, and all memory comes back.

use std::alloc::Layout;
use std::ptr::NonNull;

use heap::{Heap, MOST_WAITING, Usage};
use proptest::collection::vec;
use proptest::prelude::*;

const SIZE: usize = 1 << 20;

/// A heap, its memory, and what is allocated in it: each block full of a byte of its own.
struct Arena {
    heap: Heap,
    memory: Vec<u128>,
    blocks: Vec<(NonNull<u8>, Layout, u8)>,
    allocated: u64,
}

impl Arena {
    fn new() -> Self {
        let mut memory = vec![0u128; SIZE / 16];
        let mut heap = Heap::empty();
        let bottom = NonNull::new(memory.as_mut_ptr().cast()).expect("a vector's memory");
        // SAFETY: 1. The memory is only touched through the heap's blocks, and lives as long as the heap. 2. Once.
        unsafe { heap.init(bottom, SIZE) };
        Self { heap, memory, blocks: Vec::new(), allocated: 0 }
    }

    /// Allocates and fills a block; says whether there was room.
    fn allocate(&mut self, layout: Layout) -> bool {
        let Some(block) = self.heap.allocate(layout) else { return false };
        let bounds = self.memory.as_ptr_range();
        let (start, end) = (block.addr().get(), block.addr().get() + layout.size());
        assert!(start >= bounds.start.addr() && end <= bounds.end.addr(), "outside of the heap's memory");
        assert!(start.is_multiple_of(layout.align()), "{layout:?} at {start:#x}");
        self.allocated += 1;
        let fill = self.allocated as u8;
        // SAFETY: the heap gave us these bytes.
        unsafe { block.write_bytes(fill, layout.size()) };
        self.blocks.push((block, layout, fill));
        true
    }

    /// Frees a block, after a look at whether all its bytes are still what was written into it.
    fn free(&mut self, index: usize) {
        let (block, layout, fill) = self.blocks.swap_remove(index);
        // SAFETY: ours, and written by `allocate`.
        let bytes = unsafe { std::slice::from_raw_parts(block.as_ptr(), layout.size()) };
        assert!(bytes.iter().all(|&byte| byte == fill), "somebody wrote into a block of {layout:?}");
        // SAFETY: from this heap, with this layout, and used no more.
        unsafe { self.heap.deallocate(block, layout) };
    }

    fn free_all(&mut self) {
        while !self.blocks.is_empty() {
            self.free(self.blocks.len() - 1);
        }
    }

    fn used(&self) -> usize {
        self.heap.usage().used
    }
}

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).expect("a power of two")
}

/// All the heap's memory but what its first block's head may take.
fn everything() -> Layout {
    layout(SIZE - 64, 8)
}

#[test]
fn a_heap_without_memory_gives_none() {
    let mut heap = Heap::empty();
    assert_eq!(heap.allocate(layout(1, 1)), None);
    assert_eq!(heap.usage(), Usage { used: 0, size: 0 });
}

#[test]
fn a_small_block_that_is_freed_is_the_next_of_its_size() {
    let mut arena = Arena::new();
    for size in [1, 16, 100, 2048] {
        assert!(arena.allocate(layout(size, 8)) && arena.allocate(layout(size, 8)));
        let freed = arena.blocks[arena.blocks.len() - 2].0;
        arena.free(arena.blocks.len() - 2);
        assert!(arena.allocate(layout(size, 1)));
        assert_eq!(arena.blocks.last().map(|block| block.0), Some(freed), "{size} bytes");
    }
}

#[test]
fn what_waits_is_bounded_and_not_in_use() {
    let mut arena = Arena::new();
    while arena.allocate(layout(64, 8)) {}
    let taken = arena.blocks.len();
    assert!(taken * 64 > SIZE - 4096, "only {taken} blocks");
    arena.free_all();
    assert_eq!(arena.used(), 0);
    // All but what waits has gone back: as much as that is missing, and no more.
    assert!(arena.heap.allocate(layout(SIZE - MOST_WAITING - 4096, 8)).is_some());
}

#[test]
fn memory_that_waits_as_small_blocks_is_found_when_a_large_one_is_wanted() {
    let mut arena = Arena::new();
    for size in [16, 32, 64, 128, 256, 512, 1024, 2048] {
        for _ in 0..MOST_WAITING / size / 2 {
            assert!(arena.allocate(layout(size, 8)));
        }
    }
    arena.free_all();
    assert!(arena.allocate(everything()), "the lists keep what is wanted");
    assert!(!arena.allocate(layout(100, 1)), "there are 64 bytes left at most");
    arena.free_all();
    assert!(arena.allocate(everything()));
}

#[test]
fn memory_that_waits_as_blocks_of_one_size_is_found_for_another() {
    let mut arena = Arena::new();
    while arena.allocate(layout(2048, 8)) {}
    // What is free now all waits in one list.
    for _ in 0..MOST_WAITING / 2048 {
        arena.free(0);
    }
    let mut small = 0;
    while arena.allocate(layout(16, 8)) {
        small += 1;
    }
    assert!(small * 16 >= MOST_WAITING, "only {small} small blocks");
}

#[test]
fn blocks_that_come_and_go_in_turn_cost_the_heap_no_memory() {
    let mut arena = Arena::new();
    // A hundred small things live; a large one and small ones beside it come and go, as for each guest's creation.
    for n in 0..100 {
        assert!(arena.allocate(layout(40 + n % 50, 8)));
    }
    let used = arena.used();
    for round in 0..1000 {
        let lasting = arena.blocks.len();
        for n in 0..50 {
            assert!(arena.allocate(layout(1 + (round * 37 + n * 101) % 3000, 8)));
        }
        assert!(arena.allocate(layout(SIZE / 2, 4096)), "in pieces after {round} rounds");
        while arena.blocks.len() > lasting {
            arena.free(lasting);
        }
        assert_eq!(arena.used(), used);
    }
}

/// One thing that a program does to its heap.
#[derive(Clone, Debug)]
enum Step {
    Allocate(Layout),
    Free(prop::sample::Index),
}

fn steps() -> impl Strategy<Value = Step> {
    let size = prop_oneof![8 => 0..200usize, 4 => 200..5000usize, 1 => 5000..400_000usize];
    let align = prop_oneof![8 => 0..5u32, 1 => 5..13u32];
    prop_oneof![
        5 => (size, align).prop_map(|(size, align)| Step::Allocate(layout(size, 1 << align))),
        4 => any::<prop::sample::Index>().prop_map(Step::Free),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn blocks_never_overlap_and_all_memory_comes_back(script in vec(steps(), 1..600)) {
        let mut arena = Arena::new();
        for step in script {
            match step {
                Step::Allocate(layout) => {
                    // A refusal is honest: so much is not free in all, or it may be in pieces when it is large.
                    if !arena.allocate(layout) {
                        let free = SIZE - arena.used();
                        prop_assert!(free < 2 * layout.size().max(layout.align()) + SIZE / 2, "{} refused, {} free", layout.size(), free);
                    }
                }
                Step::Free(which) if !arena.blocks.is_empty() => arena.free(which.index(arena.blocks.len())),
                Step::Free(_) => {}
            }
            let live: usize = arena.blocks.iter().map(|(_, layout, _)| layout.size()).sum();
            prop_assert!(arena.used() >= live && arena.used() <= SIZE);
        }
        arena.free_all();
        prop_assert_eq!(arena.used(), 0);
        prop_assert!(arena.allocate(everything()), "the memory is in pieces");
    }
}
