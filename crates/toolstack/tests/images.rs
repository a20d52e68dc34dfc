//! Images: taken in, kept, given up.

mod common;

use common::{World, kernel, offer};
use proto::error::ImageError;
use proto::image::ImageId;
use sim_xen::Config;
use toolstack::images::MAX_IMAGE_LEN;
use xen_abi::{Errno, Pages};

fn bytes(fill: u8, len: usize) -> Vec<u8> {
    vec![fill; len]
}

#[test]
fn an_image_travels_once() {
    let world = World::new();
    let image = kernel::container();
    let offer = offer(&image);
    assert_eq!(world.stack.images_present(&[offer.id]), [false]);
    world.upload(&image);
    assert_eq!(world.stack.images_present(&[offer.id, ImageId([0; 32])]), [true, false]);
    assert!(world.stack.begin_image(&offer).unwrap().is_none());
    assert_eq!(world.stack.images_bytes(), 4096);
}

#[test]
fn an_upload_that_is_given_up_or_wrong_gives_its_memory_back() {
    let world = World::new();
    let before = world.before();
    let image = bytes(1, 3_000_000);
    let offer = offer(&image);
    let mut upload = world.stack.begin_image(&offer).unwrap().unwrap();
    upload.write(&image[..1000]);
    assert!(world.sim.free_memory() < Pages(512 << 8));
    drop(upload);
    world.assert_clean(&before);

    let mut upload = world.stack.begin_image(&offer).unwrap().unwrap();
    upload.write(&image[..1000]);
    assert_eq!(upload.finish(), Err(ImageError::Incomplete { received: 1000, expected: 3_000_000 }));
    let mut upload = world.stack.begin_image(&offer).unwrap().unwrap();
    upload.write(&bytes(2, 3_000_000));
    assert_eq!(upload.finish(), Err(ImageError::HashMismatch));
    world.assert_clean(&before);
    assert_eq!(world.stack.images_present(&[offer.id]), [false]);
}

#[test]
fn lengths_that_cannot_be_are_refused() {
    let world = World::new();
    let mut offer = offer(b"x");
    for len in [0, MAX_IMAGE_LEN + 1, u64::MAX] {
        offer.stored_len = len;
        let error = world.stack.begin_image(&offer).err();
        assert_eq!(error, Some(ImageError::BadLength { most: MAX_IMAGE_LEN }), "{len}");
    }
}

#[test]
fn an_image_that_does_not_fit_is_refused_with_the_numbers() {
    let world = World::on(Config { memory: Pages(32 << 8), ..Config::default() });
    let before = world.before();
    let mut offer = offer(b"x");
    offer.stored_len = 15 << 20;
    let free = world.sim.free_memory().kib().0;
    let error = world.stack.begin_image(&offer).err();
    let expected = ImageError::NotEnoughMemory { needed_kib: 15 << 10, free_kib: free - 2048 };
    assert_eq!(error, Some(expected));
    world.assert_clean(&before);
}

#[test]
fn xens_refusals_in_the_middle_of_claiming_leave_nothing() {
    let world = World::new();
    let before = world.before();
    let offer = offer(&bytes(1, 3_000_000));
    for n in 0.. {
        let injected = world.sim.injected();
        world.sim.fail_nth(n, Errno::ENOMEM);
        let result = world.stack.begin_image(&offer);
        world.sim.clear_faults();
        let struck = world.sim.injected() > injected;
        drop(result);
        world.assert_clean(&before);
        if !struck {
            assert!(n > 2, "claiming takes some hypercalls");
            break;
        }
    }
}

#[test]
fn old_images_make_room_for_new_ones() {
    let world = World::on(Config { memory: Pages(32 << 8), ..Config::default() });
    let images: Vec<_> = (1..=4).map(|n| bytes(n, 4 << 20)).collect();
    let first = world.upload(&images[0]);
    let second = world.upload(&images[1]);
    let third = world.upload(&images[2]);
    assert_eq!(world.stack.images_present(&[first]), [true], "and so it was used last");
    let fourth = world.upload(&images[3]);
    assert_eq!(world.stack.images_present(&[first, second, third, fourth]), [true, false, true, true]);
    assert_eq!(world.stack.images_bytes(), 12 << 20);
}

#[test]
fn the_bundles_images_cost_nothing() {
    let world = World::new();
    let before = world.before();
    let image = kernel::container();
    let id = offer(&image).id;
    let archive: &'static [u8] =
        Box::leak(common::cpio(&[("tiny.img", &image), ("notes.txt", b"hi")]).into());
    assert_eq!(world.stack.add_bundle(archive), Ok(1));
    assert_eq!(world.stack.images_bundled(), [("tiny".to_string(), id)]);
    assert_eq!(world.stack.images_present(&[id]), [true]);
    assert_eq!(world.stack.images_bytes(), 0);
    world.assert_clean(&before);
    assert!(world.stack.add_bundle(b"not an archive").is_err());
}
