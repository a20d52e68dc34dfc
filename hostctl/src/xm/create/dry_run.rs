//! `xm create -n` and `-x`: what would be created, as SXP, XML or JSON.

use serde_json::{Value as Json, json};
use xmcfg::refusal::refusals;
use xmcfg::settings::Settings;
use xmcfg::sxp::Sxp;
use xmcfg::xml;

use crate::xm::Context;
use crate::xm::failure::Failure;

/// Prints what would be created. What keeps it from being so is no error here: a form is looked at, not obeyed.
///
/// # Errors
/// XML has no word for something that it has to say.
pub(super) fn print(context: &mut Context<'_>, form: &Sxp, is_xml: bool) -> Result<(), Failure> {
    let wrong = Settings::from_form(form).err().map(|error| error.to_string());
    let refused: Vec<String> =
        wrong.into_iter().chain(refusals(form).iter().map(ToString::to_string)).collect();
    let text = if is_xml {
        let printed = xml::print(form).map_err(|error| Failure::Plain(error.to_string()))?;
        if !printed.left_out.is_empty() {
            let names = printed.left_out.join(", ");
            context.out.complain(&format!("Warning: XML has no place for {names}; left out."));
        }
        printed.text
    } else {
        form.pretty()
    };
    if context.json {
        let key = if is_xml { "xml" } else { "sxp" };
        let mut object = json!({ "config": form_json(form), "refused": refused });
        object[key] = json!(text);
        context.out.json(&object)?;
        return Ok(());
    }
    context.out.text(&text)?;
    for why in refused {
        context.out.complain(&format!("Note: 'create' would refuse this: {why}"));
    }
    Ok(())
}

/// A form as an object: what follows a key under it; devices, which are there several times, in a list.
fn form_json(form: &Sxp) -> Json {
    let (mut object, mut devices) = (serde_json::Map::new(), Vec::new());
    for entry in form.items().iter().skip(1) {
        let (Some(key), [_, rest @ ..]) = (entry.head(), entry.items()) else { continue };
        let value = match rest {
            [one] => value_json(one),
            many => Json::Array(many.iter().map(value_json).collect()),
        };
        match key {
            "device" => devices.push(value),
            _ => {
                object.insert(key.into(), value);
            }
        }
    }
    if !devices.is_empty() {
        object.insert("device".into(), devices.into());
    }
    Json::Object(object)
}

/// A value: `(linux (kernel k))` is an object of one key, a list of anything else a list.
fn value_json(value: &Sxp) -> Json {
    match value {
        Sxp::Int(number) => json!(number),
        Sxp::Float(number) => json!(number),
        Sxp::Text(text) => json!(text),
        Sxp::List(items) => {
            let is_form = items.len() > 1 && items[1..].iter().all(|item| item.head().is_some());
            match value.head().filter(|_| is_form) {
                Some(head) => json!({ head: form_json(value) }),
                None => Json::Array(items.iter().map(value_json).collect()),
            }
        }
    }
}
