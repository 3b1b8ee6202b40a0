//! Validates requests against a description of Telegram's Bot API: its methods, fields and types.

use std::collections::BTreeMap;

use axum::body::Bytes;
use serde_json::{Map, Value, json};

/// The description.
pub struct BotApi(pub Value);

impl BotApi {
    /// Checks a request of `method`; `files` are the uploaded files by part name.
    pub fn check(&self, method: &str, body: &Value, files: &BTreeMap<String, Bytes>) -> Result<(), String> {
        let methods = self.0["methods"].as_object().unwrap();
        let found = methods.iter().find(|(name, _)| name.eq_ignore_ascii_case(method));
        let (name, description) = found.ok_or_else(|| format!("unknown method {method}"))?;
        let mut given = body.as_object().cloned().unwrap_or_default();
        // A file part has the name of its field, or another name that the field refers to.
        let text = body.to_string();
        let attached = |file: &str| text.contains(&format!("\"attach://{file}\""));
        let direct: Vec<String> = files.keys().filter(|file| !attached(file)).cloned().collect();
        given.extend(direct.into_iter().map(|file| (file, Value::String("attach://itself".into()))));
        self.check_fields(name, &description["fields"], &given)
    }

    /// Whether a type has a field.
    pub fn has_field(&self, kind: &str, name: &str) -> bool {
        let fields = self.0["types"][kind]["fields"].as_array();
        fields.is_some_and(|fields| fields.iter().any(|field| field["name"] == name))
    }

    fn check_fields(&self, owner: &str, fields: &Value, given: &Map<String, Value>) -> Result<(), String> {
        let fields = fields.as_array().cloned().unwrap_or_default();
        for (key, value) in given {
            let field = fields.iter().find(|field| field["name"] == **key);
            let field = field.ok_or_else(|| format!("{owner} has no field {key}"))?;
            let types = field["types"].as_array().unwrap().iter().map(|one| one.as_str().unwrap());
            let errors: Vec<String> = types.map(|kind| self.check_type(kind, value)).filter_map(Result::err).collect();
            if errors.len() == field["types"].as_array().unwrap().len() {
                return Err(format!("{owner}.{key}: {}", errors.join("; ")));
            }
            let text = value.as_str().filter(|text| !text.starts_with("attach://"));
            let constant = constant(field["description"].as_str().unwrap_or_default());
            if constant.is_some_and(|constant| value != constant) {
                return Err(format!("{owner}.{key} is {value}"));
            }
            let length = text.map_or(0, |text| text.chars().count());
            if max_characters(field["description"].as_str().unwrap_or_default()).is_some_and(|max| length > max) {
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
            let items = value.as_array().ok_or_else(|| format!("{value} is not an array"))?;
            return items.iter().try_for_each(|item| self.check_type(inner, item));
        }
        let fits = match kind {
            "Integer" => value.is_i64() || value.is_u64(),
            "Float" => value.is_number(),
            "Boolean" | "True" => value.is_boolean(),
            // In a form, text that looks like a number has been parsed as one.
            "String" => value.is_string() || value.is_number(),
            "InputFile" => value.as_str().is_some_and(|text| text.starts_with("attach://")),
            _ => {
                let description = &self.0["types"][kind];
                if let Some(kinds) = description["subtypes"].as_array() {
                    let fits = kinds.iter().any(|one| self.check_type(one.as_str().unwrap(), value).is_ok());
                    return if fits { Ok(()) } else { Err(format!("{value} is not of type {kind}")) };
                }
                let given = value.as_object().ok_or_else(|| format!("{value} is not of type {kind}"))?;
                return self.check_fields(kind, &description["fields"], given);
            }
        };
        if fits { Ok(()) } else { Err(format!("{value} is not of type {kind}")) }
    }
}

/// The only value that a description such as "Type of the result, must be article" allows.
fn constant(description: &str) -> Option<&str> {
    let constant = description.split_once(", must be ")?.1.trim_end_matches('.');
    constant.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_').then_some(constant)
}

/// The upper bound in a description such as "Text of the message, 1-4096 characters".
fn max_characters(description: &str) -> Option<usize> {
    let before = description.split(" characters").next().filter(|before| before.len() < description.len())?;
    before.rsplit(' ').next()?.split('-').nth(1)?.parse().ok()
}

#[test]
#[cfg_attr(not(with_specs), ignore = "set FACEGUESSER_SPECS: no request of the bot is checked against the Bot API")]
fn telegrams_own_description_accepts_a_known_request_and_no_other() {
    let api = BotApi(super::specification("telegram-bot-api-10.1.json").expect("this test has the description"));
    assert_eq!(api.check("getMe", &json!({}), &BTreeMap::new()), Ok(()));
    assert!(api.check("getMe", &json!({ "colour": "red" }), &BTreeMap::new()).is_err());
}

#[test]
fn requests_that_do_not_match_the_description_are_errors() {
    let field = |name: &str, kind: &str, required: bool| json!({ "name": name, "types": [kind], "required": required, "description": "Some text, 1-5 characters long" });
    let api = BotApi(json!({
        "methods": { "sendThing": { "fields": [
            field("chat_id", "Integer", true), field("text", "String", false), field("photo", "InputFile", false),
            field("reply", "Reply", false)
        ] } },
        "types": {
            "Reply": { "subtypes": ["Quote", "Note"] }, "Note": { "fields": [field("note", "Integer", true)] },
            "Quote": { "fields": [
                field("id", "Integer", true),
                { "name": "type", "types": ["String"], "required": false, "description": "Its type, must be quote" }
            ] }
        }
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
        ("sendThing", json!({ "chat_id": 1, "reply": { "id": 2, "type": "note" } })),
        ("sendThing", json!({ "chat_id": 1, "photo": "a path" })),
    ] {
        assert!(api.check(method, &body, &none).is_err(), "{method} {body}");
    }
}
