//! The helpers of `xen.util.ip`, which xm put before every script.

use num_traits::ToPrimitive;

use super::os::string;
use crate::args::Args;
use crate::machine::Machine;
use crate::number::to_long;
use crate::object::{Builtin, Object};
use crate::stop::{Res, type_error, value_error};

pub(super) static FUNCTIONS: &[Builtin] = &[
    Builtin { name: "get_defaultroute", call: get_defaultroute },
    Builtin { name: "get_current_ipaddr", call: get_current_ipaddr },
    Builtin { name: "get_current_ipmask", call: get_current_ipmask },
    Builtin { name: "get_current_ipgw", call: get_current_ipgw },
    Builtin { name: "inet_aton", call: inet_aton },
    Builtin { name: "inet_ntoa", call: inet_ntoa },
    Builtin { name: "add_offset_to_ip", call: add_offset_to_ip },
    Builtin { name: "check_subnet", call: check_subnet },
];

fn get_defaultroute(m: &Machine<'_>, args: Args) -> Res {
    args.count("get_defaultroute", 0, 0)?;
    let (gateway, device) = match m.host.default_route() {
        Some((gateway, device)) => (m.string(gateway)?, m.string(device)?),
        None => (Object::None, Object::None),
    };
    m.list(vec![gateway, device])
}

/// The device that an argument names, by default that of the default route.
fn device(m: &Machine<'_>, args: &Args, name: &str) -> Res<Option<String>> {
    args.count(name, 0, 1)?;
    match args.get(0) {
        None => Ok(m.host.default_route().map(|(_, device)| device)),
        Some(_) if string(args, 0)? == "defaultroute" => Ok(m.host.default_route().map(|(_, device)| device)),
        Some(_) => Ok(Some(string(args, 0)?.to_owned())),
    }
}

fn optional(m: &Machine<'_>, text: Option<String>) -> Res {
    text.map_or(Ok(Object::None), |text| m.string(text))
}

fn get_current_ipaddr(m: &Machine<'_>, args: Args) -> Res {
    let device = device(m, &args, "get_current_ipaddr")?;
    optional(m, device.and_then(|device| m.host.device_address(&device)).map(|(address, _)| address))
}

fn get_current_ipmask(m: &Machine<'_>, args: Args) -> Res {
    let device = device(m, &args, "get_current_ipmask")?;
    optional(m, device.and_then(|device| m.host.device_address(&device)).map(|(_, mask)| mask))
}

fn get_current_ipgw(m: &Machine<'_>, args: Args) -> Res {
    let device = device(m, &args, "get_current_ipgw")?;
    let route = m.host.default_route().filter(|(_, of)| device.as_ref() == Some(of));
    optional(m, route.map(|(gateway, _)| gateway))
}

fn parse(text: &str) -> Res<u32> {
    match text.trim().parse::<std::net::Ipv4Addr>() {
        Ok(address) => Ok(u32::from(address)),
        Err(_) => value_error(format!("illegal IP address string '{text}' passed to inet_aton")),
    }
}

fn number(args: &Args, at: usize) -> Res<i128> {
    match args.get(at).and_then(to_long).and_then(|long| long.to_i128()) {
        Some(number) => Ok(number),
        None => type_error("an integer is required"),
    }
}

fn dotted(m: &Machine<'_>, address: i128) -> Res {
    match u32::try_from(address) {
        Ok(address) => m.string(std::net::Ipv4Addr::from(address).to_string()),
        Err(_) => value_error(format!("{address} is no IPv4 address")),
    }
}

fn inet_aton(_: &Machine<'_>, args: Args) -> Res {
    args.count("inet_aton", 1, 1)?;
    Ok(Object::Int(i64::from(parse(string(&args, 0)?)?)))
}

fn inet_ntoa(m: &Machine<'_>, args: Args) -> Res {
    args.count("inet_ntoa", 1, 1)?;
    dotted(m, number(&args, 0)?)
}

fn add_offset_to_ip(m: &Machine<'_>, args: Args) -> Res {
    args.count("add_offset_to_ip", 2, 2)?;
    dotted(m, i128::from(parse(string(&args, 0)?)?).saturating_add(number(&args, 1)?))
}

fn check_subnet(_: &Machine<'_>, args: Args) -> Res {
    args.count("check_subnet", 3, 3)?;
    let [ip, network, mask] =
        [parse(string(&args, 0)?)?, parse(string(&args, 1)?)?, parse(string(&args, 2)?)?];
    Ok(Object::Bool(ip & mask == network & mask))
}
