//! What neither peer of Xen 4.17 does as we do.

use super::{Heard, Rule, apart, events, same, strings};
use crate::history::{Step, Who, ty};
use crate::report::Asked;
use crate::server::LIMITS;

pub(super) const RULES: &[Rule] = &[
    same("newer-requests", |asked| (23..=26).contains(&asked.ty) && asked.their_word() == "ENOSYS"),
    apart("watch-depth", |asked| {
        asked.ty == ty::WATCH
            && asked.are("OK", "EINVAL")
            && asked.payload.split(|byte| *byte == 0).count() == 4
    }),
    events("watches-on-one-domain", |heard| {
        let (ours, theirs) = (heard.our_kinds(), heard.their_kinds());
        heard.are_more_here()
            && ours != theirs
            && ours.difference(&theirs).all(|(path, _)| path.starts_with("@releaseDomain/"))
    }),
    events("what-a-commit-made-is-told", |heard| {
        let is_commit = matches!(heard.step, Some(Step::Ask { ty: ty::TRANSACTION_END, .. }));
        is_commit
            && heard.our_kinds() != heard.their_kinds()
            && (heard.are_more_here() || tells_of_directories(heard))
    }),
    same("long-paths-of-the-control-domain", |asked| asked.ours.is_err() && is_too_long_for_guests(asked)),
    apart("long-paths-of-the-control-domain", is_too_long_for_guests),
    same("malformed-permissions", |asked| {
        asked.ty == ty::SET_PERMS && asked.our_word() == "EINVAL" && asked.theirs.is_err()
    }),
    apart("malformed-permissions", |asked| asked.ty == ty::SET_PERMS && asked.are("EINVAL", "OK")),
    same("entries-of-the-gone", |asked| {
        let (Ok(ours), Ok(theirs)) = (&asked.ours, &asked.theirs) else { return false };
        asked.ty == ty::GET_PERMS && strings(ours).is_subset(&strings(theirs))
    }),
    apart("special-syntax", |asked| asked.ty == ty::WATCH && asked.is_special() && asked.are("EINVAL", "OK")),
    same("bad-paths-are-invalid", |asked| asked.ty == ty::UNWATCH && asked.are("EINVAL", "ENOENT")),
    apart("numbers-are-numbers", is_no_number),
    // What commands there are is each server's own affair.
    same("control-commands", |asked| {
        asked.ty == ty::CONTROL && (matches!(asked.who, Who::Control(_)) || asked.are("EACCES", "OK"))
    }),
];

fn is_too_long_for_guests(asked: &Asked) -> bool {
    matches!(asked.who, Who::Control(_))
        && asked.path().len() > LIMITS.path_max as usize
        && asked.their_word() == "EINVAL"
}

fn is_no_number(asked: &Asked) -> bool {
    let is_number = |text: &[u8]| std::str::from_utf8(text).is_ok_and(|text| text.parse::<u16>().is_ok());
    if asked.ty == ty::DIRECTORY_PART {
        let offset = asked.payload.split(|byte| *byte == 0).nth(1);
        return asked.our_word() == "EINVAL" && !offset.is_some_and(is_number);
    }
    let wanted = if asked.ty == ty::SET_TARGET { 2 } else { 1 };
    asked.is(&[ty::GET_DOMAIN_PATH, ty::IS_DOMAIN_INTRODUCED, ty::RELEASE, ty::RESUME, ty::SET_TARGET])
        && asked.our_word() == "EINVAL"
        && !(asked.payload.iter().filter(|byte| **byte == 0).count() == wanted
            && asked.payload.split(|byte| *byte == 0).take(wanted).all(is_number))
}

/// Whether what only we tell is of directories of what is told too, by anybody.
fn tells_of_directories(heard: &Heard<'_>) -> bool {
    let (ours, theirs) = (heard.our_kinds(), heard.their_kinds());
    let mut only_here = ours.difference(&theirs).peekable();
    only_here.peek().is_some()
        && only_here.all(|(path, _)| {
            let is_below =
                |other: &str| other.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with('/'));
            ours.union(&theirs).any(|(other, _)| is_below(other))
        })
}
