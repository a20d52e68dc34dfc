//! Where the C xenstored is the one that differs.

use super::{Rule, apart, events, gone, same};
use crate::history::{Step, ty};
use crate::report::Transaction;

pub(super) const RULES: &[Rule] = &[
    gone("misframed-is-invalid", |step| match step {
        Step::Ask { ty, payload, .. } => !is_framed(*ty, payload),
        _ => false,
    }),
    same("misframed-is-invalid", |asked| {
        !is_framed(asked.ty, &asked.payload) && asked.our_word() == "EINVAL" && asked.theirs.is_err()
    }),
    gone("special-permissions-are-the-control-domains", |step| match step {
        Step::Ask { ty: ty::SET_PERMS, payload, .. } => payload.starts_with(b"@"),
        _ => false,
    }),
    same("special-permissions-are-the-control-domains", |asked| {
        asked.ty == ty::SET_PERMS && asked.is_special() && asked.ours.is_err() && asked.theirs.is_err()
    }),
    same("special-permissions-can-be-read", |asked| {
        asked.ty == ty::GET_PERMS && asked.is_special() && asked.their_word() == "EINVAL"
    }),
    apart("fewer-conflicts", |asked| {
        asked.ty == ty::TRANSACTION_END
            && asked.transaction == Transaction::Overtaken
            && asked.are("OK", "EAGAIN")
    }),
    apart("refusals-spoil-nothing", |asked| asked.ty == ty::TRANSACTION_END && asked.are("OK", "ENOMEM")),
    apart("snapshots", |asked| {
        asked.ty != ty::TRANSACTION_END && asked.transaction == Transaction::Overtaken
    }),
    apart("snapshots", |asked| {
        asked.ty == ty::TRANSACTION_END
            && asked.transaction == Transaction::Overtaken
            && (asked.are("EAGAIN", "OK") || asked.are("EAGAIN", "ENOMEM"))
    }),
    // There the limit is the first size that is refused.
    apart("what-a-node-weighs", |asked| {
        asked.is(&[ty::WRITE, ty::MKDIR, ty::SET_PERMS]) && asked.are("OK", "ENOSPC")
    }),
    events("each-watch-hears", |heard| {
        heard.ours.len() > heard.theirs.len() && heard.our_kinds() == heard.their_kinds()
    }),
    events("no-events-of-what-was-not", |heard| {
        matches!(heard.step, Some(Step::Ask { ty: ty::TRANSACTION_END, .. })) && heard.are_more_there()
    }),
];

/// Whether the payload is what requests of this type want: one string, or a string and what follows.
fn is_framed(ty: u32, payload: &[u8]) -> bool {
    let nul = payload.iter().position(|byte| *byte == 0);
    match ty {
        ty::READ | ty::DIRECTORY | ty::GET_PERMS | ty::MKDIR | ty::RM => {
            nul == Some(payload.len().wrapping_sub(1))
        }
        _ => nul.is_some(),
    }
}
