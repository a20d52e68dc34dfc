//! The parts that are not simply a list of fields.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use xen_abi::DomId;

use super::bytes::put_number;
use super::{Loader, RestoreError, Saved, Saver};
use crate::Error;
use crate::node::Node;
use crate::ops::{Change, ChangeKind, Op};
use crate::path::{ABSOLUTE_MAX, StorePath};
use crate::perms::{Access, Perm, Perms};
use crate::sweep::{Frame, Sweep};
use crate::telling::What;
use crate::transaction::{Part, Step};

/// Implements [`Saved`] for an enum: a number for each variant, then its fields.
macro_rules! saved_enum {
    ($name:ident { $($tag:literal => $variant:ident $(($($field:ident),*))? $({$($named:ident),*})?),* $(,)? }) => {
        impl Saved for $name {
            fn save<'a>(&'a self, to: &mut Saver<'a>) {
                match self {
                    $($name::$variant $(($($field),*))? $({$($named),*})? => {
                        to.out.push($tag);
                        $($($field.save(to);)*)?
                        $($($named.save(to);)*)?
                    })*
                }
            }

            fn load(from: &mut Loader<'_>) -> Result<Self, RestoreError> {
                Ok(match u8::load(from)? {
                    $($tag => {
                        $($(let $field = Saved::load(from)?;)*)?
                        $($(let $named = Saved::load(from)?;)*)?
                        $name::$variant $(($($field),*))? $({$($named),*})?
                    })*
                    _ => return Err(RestoreError::Malformed),
                })
            }
        }
    };
}

saved_enum!(Access { 0 => None, 1 => Read, 2 => Write, 3 => Both });
saved_enum!(Part { 0 => Value, 1 => List, 2 => Perms });
saved_enum!(Op { 0 => Write(path, value), 1 => Mkdir(path), 2 => Remove(path), 3 => SetPerms(path, perms) });
saved_enum!(ChangeKind { 0 => Written, 1 => Permitted(old), 2 => Removed(top) });
saved_enum!(What { 0 => On { readers, level, after }, 1 => Below { top, after }, 2 => New { id } });
saved_enum!(Step { 0 => Read { path, part, saw }, 1 => Change { op, before, done } });

super::saved!(Change { path, kind, replaced, was });
super::saved!(Perm { domid, access });

impl Saved for () {
    fn save<'a>(&'a self, _: &mut Saver<'a>) {}

    fn load(_: &mut Loader<'_>) -> Result<Self, RestoreError> {
        Ok(())
    }
}

impl Saved for DomId {
    fn save<'a>(&'a self, to: &mut Saver<'a>) {
        self.0.save(to);
    }

    fn load(from: &mut Loader<'_>) -> Result<Self, RestoreError> {
        u16::load(from).map(DomId)
    }
}

impl Saved for StorePath {
    fn save<'a>(&'a self, to: &mut Saver<'a>) {
        super::bytes::put_bytes(&mut to.out, self.as_str().as_bytes());
    }

    fn load(from: &mut Loader<'_>) -> Result<Self, RestoreError> {
        let raw = Box::<[u8]>::load(from)?;
        match raw.first() {
            Some(b'/' | b'@') => {}
            _ => return Err(RestoreError::Malformed),
        }
        StorePath::parse(&raw, DomId(0), ABSOLUTE_MAX).map_err(|_| RestoreError::Malformed)
    }
}

impl Saved for Perms {
    fn save<'a>(&'a self, to: &mut Saver<'a>) {
        let number = to.graph.perms(self);
        put_number(&mut to.out, number);
    }

    fn load(from: &mut Loader<'_>) -> Result<Self, RestoreError> {
        let number = u64::load(from)?;
        from.graph.perms(number)
    }
}

impl Saved for Arc<Node> {
    fn save<'a>(&'a self, to: &mut Saver<'a>) {
        let number = to.graph.node(self);
        put_number(&mut to.out, number);
    }

    fn load(from: &mut Loader<'_>) -> Result<Self, RestoreError> {
        let number = u64::load(from)?;
        from.graph.node(number)
    }
}

impl Saved for Error {
    fn save<'a>(&'a self, to: &mut Saver<'a>) {
        // All of them are in the list: a test says so.
        let code = Error::ALL.iter().position(|error| error == self).unwrap_or_default();
        put_number(&mut to.out, code as u64);
    }

    fn load(from: &mut Loader<'_>) -> Result<Self, RestoreError> {
        Error::ALL.get(usize::load(from)?).copied().ok_or(RestoreError::Malformed)
    }
}

impl<T: Saved> Saved for Result<T, Error> {
    fn save<'a>(&'a self, to: &mut Saver<'a>) {
        to.out.push(u8::from(self.is_ok()));
        match self {
            Ok(value) => value.save(to),
            Err(error) => error.save(to),
        }
    }

    fn load(from: &mut Loader<'_>) -> Result<Self, RestoreError> {
        Ok(if bool::load(from)? { Ok(T::load(from)?) } else { Err(Error::load(from)?) })
    }
}

impl Saved for Sweep {
    fn save<'a>(&'a self, to: &mut Saver<'a>) {
        put_number(&mut to.out, self.frames().len() as u64);
        for frame in self.frames() {
            let (kind, numbers): (u8, Vec<u64>) = match frame {
                Frame::Node(node) => (0, alloc::vec![to.graph.node(node)]),
                Frame::Leaf(nodes) => (1, nodes.as_slice().iter().map(|node| to.graph.node(node)).collect()),
                Frame::Inner(parts) => {
                    (2, parts.as_slice().iter().map(|(_, below)| to.graph.block(below)).collect())
                }
            };
            to.out.push(kind);
            put_number(&mut to.out, numbers.len() as u64);
            numbers.into_iter().for_each(|number| put_number(&mut to.out, number));
        }
    }

    fn load(from: &mut Loader<'_>) -> Result<Self, RestoreError> {
        // Nobody looks names up in what is no part of a tree any more.
        let no_bound: Arc<[u8]> = Arc::from(&b""[..]);
        let mut frames = Vec::new();
        for _ in 0..super::bytes::take_count(&mut from.rest)? {
            let kind = u8::load(from)?;
            let numbers = Vec::<u64>::load(from)?.into_iter();
            let graph = &from.graph;
            frames.push(match kind {
                0 | 1 => {
                    let nodes: Vec<_> = numbers.map(|number| graph.node(number)).collect::<Result<_, _>>()?;
                    Frame::Leaf(nodes.into_iter())
                }
                2 => {
                    let part = |number| Ok((no_bound.clone(), graph.block(number)?));
                    Frame::Inner(numbers.map(part).collect::<Result<Vec<_>, RestoreError>>()?.into_iter())
                }
                _ => return Err(RestoreError::Malformed),
            });
        }
        Ok(Sweep::of_frames(frames))
    }
}
