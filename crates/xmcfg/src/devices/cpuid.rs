//! What the CPUID instruction tells: `LEAF[,SUB]:eax=V,ebx=V,...`.

use super::DeviceError;
use crate::pyhash::dictionary;
use crate::sxp::Sxp;

/// `((LEAF ((REG VALUE) ...)) ...)`; texts that do not begin with a leaf and a colon say nothing, as in xm.
///
/// # Errors
/// [`DeviceError::Cpuid`], [`DeviceError::CpuidBits`].
pub fn cpuid(texts: &[String]) -> Result<Sxp, DeviceError> {
    let mut leaves = Vec::new();
    for (leaf, registers) in texts.iter().filter_map(|text| text.split_once(':')) {
        if !leaf.split(',').all(is_hex) || leaf.split(',').count() > 2 {
            continue;
        }
        let registers =
            registers.split(',').map(|text| register(leaf, text)).collect::<Result<Vec<_>, _>>()?;
        leaves.push((leaf.to_owned(), dictionary(registers)));
    }
    let pairs = |list: Vec<(String, String)>| {
        Sxp::List(list.into_iter().map(|(register, value)| Sxp::pair(&register, value)).collect())
    };
    let leaves = dictionary(leaves).into_iter().map(|(leaf, list)| Sxp::pair(&leaf, pairs(list)));
    Ok(Sxp::List(leaves.collect()))
}

fn register(leaf: &str, text: &str) -> Result<(String, String), DeviceError> {
    let (register, value) = text.split_once('=').ok_or(DeviceError::Cpuid)?;
    if !matches!(register, "eax" | "ebx" | "ecx" | "edx") {
        return Err(DeviceError::Cpuid);
    }
    let is_complete = match value.strip_prefix("0x") {
        Some(digits) => is_hex(digits),
        None => value.len() == 32 && value.chars().all(|c| "10xks".contains(c)),
    };
    if !is_complete {
        return Err(DeviceError::CpuidBits { register: register.into(), leaf: leaf.into() });
    }
    Ok((register.into(), value.into()))
}

fn is_hex(text: &str) -> bool {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    (1..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}
