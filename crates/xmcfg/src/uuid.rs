//! Uuids as text.

use proto::domain::Uuid;

/// Reads 32 hexadecimal digits, with dashes wherever they please, as xend did.
pub fn parse(text: &str) -> Option<Uuid> {
    let digits: Option<Vec<u8>> =
        text.chars().filter(|c| *c != '-').map(|c| Some(c.to_digit(16)? as u8)).collect();
    let digits = digits.filter(|digits| digits.len() == 32)?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    Uuid::try_from(bytes).ok()
}

/// A uuid as people write it.
pub fn text(uuid: &Uuid) -> String {
    let hex: String = uuid.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_reads_as_it_is_written_and_without_dashes() {
        let uuid = "06ed00fe-1162-4fc4-b5d8-11993ee4a8b9";
        assert_eq!(parse(uuid).map(|uuid| text(&uuid)).as_deref(), Some(uuid));
        assert_eq!(parse(&uuid.replace('-', "").to_uppercase()), parse(uuid));
        for wrong in
            ["", "12", "06ed00fe-1162-4fc4-b5d8-11993ee4a8bx", "06ed00fe-1162-4fc4-b5d8-11993ee4a8b9a"]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
