//! Where oxenstored is the one that differs.

use std::collections::BTreeSet;

use super::{Event, Heard, NODES_OF_THE_GONE, Rule, apart, events, same, strings};
use crate::history::{Step, Who, ty};
use crate::report::Transaction;

/// Requests that are about a node.
const OF_NODES: &[u32] =
    &[ty::READ, ty::DIRECTORY, ty::GET_PERMS, ty::WRITE, ty::MKDIR, ty::RM, ty::SET_PERMS];

pub(super) const RULES: &[Rule] = &[
    same("unknown-transactions", |asked| {
        asked.transaction == Transaction::Unknown && asked.their_word() == "EIO" && asked.ours.is_err()
    }),
    apart("other-conflicts", |asked| {
        asked.ty == ty::TRANSACTION_END
            && asked.transaction == Transaction::Overtaken
            && [("EAGAIN", "OK"), ("OK", "EAGAIN"), ("EAGAIN", "EINVAL"), ("OK", "EINVAL")]
                .iter()
                .any(|(ours, theirs)| asked.are(ours, theirs))
    }),
    same("directory-part", |asked| asked.ty == ty::DIRECTORY_PART && asked.their_word() == "ENOSYS"),
    same("special-names-are-no-nodes", |asked| {
        let (Ok(ours), Ok(theirs)) = (&asked.ours, &asked.theirs) else { return false };
        let mut ours = strings(ours);
        ours.extend(["@introduceDomain".to_owned(), "@releaseDomain".to_owned()]);
        asked.ty == ty::DIRECTORY && asked.payload == b"/\0" && ours == strings(theirs)
    }),
    apart("special-names-are-no-nodes", |asked| {
        asked.is_special() && asked.is(OF_NODES) && asked.ty != ty::SET_PERMS
    }),
    same("hidden-directories", |asked| {
        asked.are("EACCES", "ENOENT") || (asked.ty == ty::MKDIR && asked.are("EACCES", "OK"))
    }),
    // Or it is there, and belongs to another: `creators-own`.
    apart("hidden-directories", |asked| asked.ty == ty::RM && asked.are("EACCES", "OK")),
    apart("the-root-stays", |asked| {
        asked.ty == ty::RM && asked.payload == b"/\0" && asked.are("EINVAL", "OK")
    }),
    same("creators-own", |asked| {
        let (Ok(ours), Ok(theirs)) = (&asked.ours, &asked.theirs) else { return false };
        // Entries of domains that are gone are left out at the same time.
        let rest = |reply: &[u8]| -> BTreeSet<Vec<u8>> {
            reply.split(|byte| *byte == 0).skip(1).map(<[u8]>::to_vec).collect()
        };
        asked.ty == ty::GET_PERMS && ours[0] == theirs[0] && rest(ours).is_subset(&rest(theirs))
    }),
    // Also at home, where another may have made something.
    apart("creators-own", |asked| {
        let is_about_rights = asked.are("OK", "EACCES") || asked.are("EACCES", "OK");
        matches!(asked.who, Who::Guest(_)) && asked.is(OF_NODES) && !asked.is_special() && is_about_rights
    }),
    // Who does not own a node there may not hear of it, either.
    events("creators-own", |heard| {
        let Who::Guest(domid) = heard.who else { return false };
        let home = format!("/local/domain/{domid}");
        let (ours, theirs) = (heard.our_kinds(), heard.their_kinds());
        heard.are_more_here()
            && ours.difference(&theirs).all(|(path, _)| path.starts_with('/') && !path.starts_with(&home))
    }),
    // There, directories on the way to the refused node stay.
    apart("refusals-change-nothing", |asked| {
        asked.is(&[ty::WRITE, ty::MKDIR])
            && matches!(asked.their_word(), "E2BIG" | "EQUOTA")
            && asked.ours.is_err()
    }),
    same("limits-are-ENOSPC", |asked| asked.are("ENOSPC", "E2BIG") || asked.are("ENOSPC", "EQUOTA")),
    // There it is the value alone, here the permissions and the names of children too.
    apart("what-a-node-weighs", |asked| asked.is(&[ty::WRITE, ty::MKDIR]) && asked.are("ENOSPC", "OK")),
    apart("the-control-domain-has-no-limits", |asked| {
        matches!(asked.who, Who::Control(_)) && (asked.are("OK", "E2BIG") || asked.are("OK", "EQUOTA"))
    }),
    // It takes all that is domain 0's away.
    apart("domains-that-are-not-there", |asked| {
        asked.ty == ty::RELEASE && asked.payload == b"0\0" && asked.our_word() == "EINVAL"
    }),
    same("domains-that-are-not-there", |asked| {
        asked.is(&[ty::RESUME, ty::RELEASE])
            && [("ENOENT", "EINVAL"), ("EINVAL", "OK"), ("EINVAL", "ENOENT")]
                .iter()
                .any(|(ours, theirs)| asked.are(ours, theirs))
    }),
    apart("domains-that-are-not-there", |asked| asked.ty == ty::SET_TARGET && asked.are("ENOENT", "OK")),
    same("changing-the-owner-is-EPERM", |asked| asked.ty == ty::SET_PERMS && asked.are("EPERM", "EACCES")),
    same("permissions-name-domains-that-are", |asked| {
        asked.ty == ty::SET_PERMS && asked.are("ENOENT", "EACCES")
    }),
    apart("permissions-name-domains-that-are", |asked| {
        asked.ty == ty::SET_PERMS && asked.are("ENOENT", "OK")
    }),
    same("permissions-are-counted", |asked| {
        asked.ty == ty::SET_PERMS && asked.our_word() == "ENOSPC" && asked.theirs.is_err()
    }),
    apart("permissions-are-counted", |asked| asked.ty == ty::SET_PERMS && asked.are("ENOSPC", "OK")),
    same("which-error-comes-first", |asked| {
        asked.ty == ty::SET_PERMS
            && matches!(asked.our_word(), "ENOENT" | "EACCES" | "EPERM")
            && matches!(asked.their_word(), "EINVAL" | "ENOENT" | "EACCES")
    }),
    apart("bad-paths-are-invalid", |asked| {
        asked.ty == ty::WATCH && !asked.is_special() && asked.are("EINVAL", "OK")
    }),
    events("no-events-of-what-was-not", |heard| {
        let (ours, theirs) = (heard.our_kinds(), heard.their_kinds());
        heard.are_more_there() && theirs.difference(&ours).all(|event| is_below_removed(heard, event))
    }),
    events("no-events-of-what-was-not", |heard| {
        matches!(heard.step, Some(Step::Ask { ty: ty::TRANSACTION_END, .. })) && heard.are_more_there()
    }),
    events("a-domain-shuts-down-once", |heard| {
        let (ours, theirs) = (heard.our_kinds(), heard.their_kinds());
        matches!(heard.step, Some(Step::ShutDown(_) | Step::Die(_)))
            && heard.are_more_there()
            && theirs.difference(&ours).all(|(path, _)| path == "@releaseDomain")
    }),
    events("the-root-is-a-node", |heard| {
        let (ours, theirs) = (heard.our_kinds(), heard.their_kinds());
        heard.are_more_here() && ours.difference(&theirs).all(|(path, _)| path == "/")
    }),
    events(NODES_OF_THE_GONE, |heard| {
        matches!(heard.step, Some(Step::Die(_) | Step::Release(_))) && heard.are_more_here()
    }),
];

/// Whether the step removes a node and the event is below it.
fn is_below_removed(heard: &Heard<'_>, event: &Event) -> bool {
    let Some(Step::Ask { who, ty: ty::RM, payload, .. }) = heard.step else { return false };
    let absolute = |who: Who, path: &str| {
        let domid = if let Who::Guest(domid) = who { domid } else { 0 };
        if path.starts_with('/') { path.to_owned() } else { format!("/local/domain/{domid}/{path}") }
    };
    let removed = absolute(*who, String::from_utf8_lossy(payload).trim_end_matches('\0'));
    absolute(heard.who, &event.0).strip_prefix(&removed).is_some_and(|rest| rest.starts_with('/'))
}
