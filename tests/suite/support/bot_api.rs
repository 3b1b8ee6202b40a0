//! Telegram's own description of its methods and types, and whether a request fits it.

use std::collections::BTreeMap;

use axum::body::Bytes;
use serde_json::{Map, Value, json};

/// The description.
pub struct BotApi(pub Value);

impl BotApi {
    /// Whether the request of a method fits, and why not.
    pub fn check(&self, method: &str, body: &Value, files: &BTreeMap<String, Bytes>) -> Result<(), String> {
        let methods = self.0["methods"].as_object().unwrap();
        let known = methods.iter().find(|(name, _)| name.eq_ignore_ascii_case(method));
        let (name, described) = known.ok_or_else(|| format!("unknown method {method}"))?;
        let mut given = body.as_object().cloned().unwrap_or_default();
        // A file is sent under its field's name, or under another that the field points to.
        let written = body.to_string();
        let attached = |file: &str| written.contains(&format!("\"attach://{file}\""));
        let direct: Vec<String> = files.keys().filter(|file| !attached(file)).cloned().collect();
        given.extend(direct.into_iter().map(|file| (file, Value::String("attach://itself".into()))));
        self.check_fields(name, &described["fields"], &given)
    }

    fn check_fields(&self, owner: &str, fields: &Value, given: &Map<String, Value>) -> Result<(), String> {
        let fields = fields.as_array().cloned().unwrap_or_default();
        for (key, value) in given {
            let field = fields.iter().find(|field| field["name"] == **key);
            let field = field.ok_or_else(|| format!("{owner} knows no field {key}"))?;
            let types = field["types"].as_array().unwrap().iter().map(|one| one.as_str().unwrap());
            let faults: Vec<String> = types.map(|kind| self.check_type(kind, value)).filter_map(Result::err).collect();
            if faults.len() == field["types"].as_array().unwrap().len() {
                return Err(format!("{owner}.{key}: {}", faults.join("; ")));
            }
            let text = value.as_str().filter(|text| !text.starts_with("attach://"));
            let length = text.map_or(0, |text| text.chars().count());
            if most_characters(field["description"].as_str().unwrap_or_default()).is_some_and(|most| length > most) {
                return Err(format!("{owner}.{key} has {length} characters"));
            }
        }
        let missing = fields
            .iter()
            .find(|field| field["required"] == true && !given.contains_key(field["name"].as_str().unwrap()));
        missing.map_or(Ok(()), |field| Err(format!("{owner} lacks {}", field["name"])))
    }

    fn check_type(&self, kind: &str, value: &Value) -> Result<(), String> {
        if let Some(inner) = kind.strip_prefix("Array of ") {
            let items = value.as_array().ok_or_else(|| format!("{value} is no array"))?;
            return items.iter().try_for_each(|item| self.check_type(inner, item));
        }
        let fits = match kind {
            "Integer" => value.is_i64() || value.is_u64(),
            "Float" => value.is_number(),
            "Boolean" | "True" => value.is_boolean(),
            // A form's text that looks like a number is still text.
            "String" => value.is_string() || value.is_number(),
            "InputFile" => value.as_str().is_some_and(|text| text.starts_with("attach://")),
            _ => {
                let described = &self.0["types"][kind];
                if let Some(kinds) = described["subtypes"].as_array() {
                    let fits = kinds.iter().any(|one| self.check_type(one.as_str().unwrap(), value).is_ok());
                    return if fits { Ok(()) } else { Err(format!("{value} is no {kind}")) };
                }
                let given = value.as_object().ok_or_else(|| format!("{value} is no {kind}"))?;
                return self.check_fields(kind, &described["fields"], given);
            }
        };
        if fits { Ok(()) } else { Err(format!("{value} is no {kind}")) }
    }
}

/// The bound in a description such as "Text of the message, 1-4096 characters".
fn most_characters(description: &str) -> Option<usize> {
    let before = description.split(" characters").next().filter(|before| before.len() < description.len())?;
    before.rsplit(' ').next()?.split('-').nth(1)?.parse().ok()
}

#[test]
fn requests_that_do_not_fit_the_bot_api_are_told() {
    let field = |name: &str, kind: &str, required: bool| json!({ "name": name, "types": [kind], "required": required, "description": "Some text, 1-5 characters long" });
    let api = BotApi(json!({
        "methods": { "sendThing": { "fields": [
            field("chat_id", "Integer", true), field("text", "String", false), field("photo", "InputFile", false),
            field("reply", "Reply", false)
        ] } },
        "types": { "Reply": { "fields": [field("id", "Integer", true)] } }
    }));
    let file = BTreeMap::from([("photo".to_owned(), Bytes::new())]);
    let none = BTreeMap::new();
    assert_eq!(api.check("SendThing", &json!({ "chat_id": 1, "text": "hello", "reply": { "id": 2 } }), &file), Ok(()));
    for (method, body) in [
        ("sendThings", json!({ "chat_id": 1 })),
        ("sendThing", json!({ "text": "hello" })),
        ("sendThing", json!({ "chat_id": "one" })),
        ("sendThing", json!({ "chat_id": 1, "text": "too long" })),
        ("sendThing", json!({ "chat_id": 1, "colour": "red" })),
        ("sendThing", json!({ "chat_id": 1, "reply": {} })),
        ("sendThing", json!({ "chat_id": 1, "photo": "a path" })),
    ] {
        assert!(api.check(method, &body, &none).is_err(), "{method} {body}");
    }
}
