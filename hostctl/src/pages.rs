//! Lists that come in several answers, as wholes.

use proto::domain::DomainInfo;
use proto::endpoints::DomainList;
use proto::error::XenError;

use crate::client::{CallError, Client};

/// Every domain, by name.
///
/// # Errors
/// The control domain cannot be asked; inside: Xen refused.
pub fn domains(client: &mut Client) -> Result<Result<Vec<DomainInfo>, XenError>, CallError> {
    let mut all = Vec::new();
    let mut from = Some(0);
    while let Some(first) = from {
        match client.call::<DomainList>(&first)? {
            Ok(page) => {
                all.extend(page.domains);
                from = page.next;
            }
            Err(error) => return Ok(Err(error)),
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name).then(a.domid.cmp(&b.domid)));
    Ok(Ok(all))
}
