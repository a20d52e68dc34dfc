//! The bytes on the wire: two builds that differ here do not understand each other.

use proto::domain::{Action, CreateRequest, DomainConfig, DomainRef};
use proto::endpoints::{ALL, DomainCreate, DomainDestroy, DomainPause, Endpoint, Hello};
use proto::host::Greeting;
use proto::image::ImageId;
use proto::sched::PoolRef;
use proto::vcpu::CpuSet;
use proto::wire::{Fault, Request, RequestId, Response};

/// A hello that any build understands is what tells two unlike builds that they are unlike: neither its key nor its bytes may
/// ever change.
#[test]
fn hello_is_what_it_was_in_the_first_release() {
    assert_eq!(Hello::KEY, [116, 53, 167, 174, 100, 69, 193, 191]);
    let greeting = Greeting {
        version: "0.1.0".into(),
        boot_id: 0x1_0000,
        xen: "4.17".into(),
        uptime_ms: 300,
        paths: vec!["hello".into()],
    };
    let bytes = postcard::to_allocvec(&greeting).expect("it encodes");
    assert_eq!(bytes, b"\x050.1.0\x80\x80\x04\x044.17\xac\x02\x01\x05hello");
    assert_eq!(postcard::from_bytes(&bytes), Ok(greeting));
}

#[test]
fn the_envelope_is_id_key_and_body() {
    let request = Request { id: RequestId(0x81), key: *b"12345678", body: vec![7, 8] };
    let bytes = postcard::to_allocvec(&request).expect("it encodes");
    assert_eq!(bytes, b"\x81\x0112345678\x02\x07\x08");
    assert_eq!(postcard::from_bytes(&bytes), Ok(request));

    let answer = Response { id: RequestId(1), result: Ok(vec![9]) };
    assert_eq!(postcard::to_allocvec(&answer), Ok(vec![1, 0, 1, 9]));
    let refusal = Response { id: RequestId(1), result: Err(Fault::Busy { limit: 64 }) };
    assert_eq!(postcard::to_allocvec(&refusal), Ok(vec![1, 1, 2, 64]));
}

#[test]
fn a_cut_message_is_an_error_at_every_byte() {
    let config = DomainConfig {
        name: "web".into(),
        uuid: Some([7; 16]),
        memory_kib: 131_072,
        max_memory_kib: 262_144,
        vcpus: 1,
        max_vcpus: 2,
        cpus: vec![CpuSet(vec![1]), CpuSet::default()],
        pool: Some(PoolRef("fast".into())),
        weight: Some(512),
        cap: None,
        kernel: ImageId([1; 32]),
        kernel_name: "/boot/vmlinuz".into(),
        ramdisk: Some(ImageId([2; 32])),
        ramdisk_name: "/boot/initrd".into(),
        cmdline: "console=hvc0".into(),
        on_poweroff: Action::Destroy,
        on_reboot: Action::Restart,
        on_crash: Action::Preserve,
    };
    let request = CreateRequest { config, paused: true };
    let bytes = postcard::to_allocvec(&request).expect("it encodes");
    assert_eq!(postcard::from_bytes(&bytes), Ok(request));
    for cut in 0..bytes.len() {
        assert!(
            postcard::from_bytes::<CreateRequest>(&bytes[..cut]).is_err(),
            "{cut} of {} bytes",
            bytes.len()
        );
    }
}

#[test]
fn a_length_that_lies_allocates_nothing_and_is_an_error() {
    // A name of 2^63 bytes, of which three come.
    let lie = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, b'w', b'e', b'b'];
    assert!(postcard::from_bytes::<DomainRef>(&lie).is_err());
    assert!(postcard::from_bytes::<Vec<ImageId>>(&lie).is_err());
}

#[test]
fn every_endpoint_has_a_path_and_a_key_of_its_own() {
    for (at, (path, key)) in ALL.iter().enumerate() {
        for (other_path, other_key) in &ALL[..at] {
            assert_ne!(path, other_path);
            assert_ne!(key, other_key, "{path} and {other_path}");
        }
    }
    // Same types, other path; same kind of path, other types.
    assert_ne!(DomainPause::KEY, DomainDestroy::KEY);
    assert_ne!(DomainCreate::KEY, DomainPause::KEY);
}
