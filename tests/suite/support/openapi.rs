//! Validates requests against Discord's OpenAPI description: unknown paths, methods, query keys and fields,
//! wrong types and missing parts are errors.

use serde_json::{Value, json};

pub struct OpenApi {
    document: Value,
}

impl OpenApi {
    /// Closes every object schema, so that a field it does not name is an error.
    pub fn new(mut document: Value) -> Self {
        close(&mut document["components"]["schemas"]);
        Self { document }
    }

    /// Checks one request; `path` is relative to the API version, `files` are the upload's part names.
    pub fn check(&self, method: &str, path: &str, query: &str, body: &Value, files: &[&str]) -> Result<(), String> {
        let (template, operations) = self.operations(path).ok_or_else(|| format!("unknown path {path}"))?;
        let operation = operations.get(method).ok_or_else(|| format!("{template} has no method {method}"))?;
        for key in query.split('&').filter_map(|pair| pair.split('=').next()).filter(|key| !key.is_empty()) {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            if !parameters.into_iter().any(|one| one["in"] == "query" && one["name"] == key) {
                return Err(format!("{method} {template} has no query key {key}"));
            }
        }
        let content = &operation["requestBody"]["content"];
        let Some(schema) = content.get("application/json").map(|kind| &kind["schema"]) else {
            let empty = body.is_null() || body.as_object().is_some_and(|body| body.is_empty());
            return if empty { Ok(()) } else { Err(format!("{method} {template} takes no body, got {body}")) };
        };
        for file in files {
            let form = &content["multipart/form-data"]["schema"];
            // Where a request has two forms, Discord's description omits the files of both.
            let parts = form["allOf"].as_array().into_iter().flatten();
            let named =
                form["anyOf"].is_array() || parts.into_iter().any(|part| part["properties"].get(file).is_some());
            if !named {
                return Err(format!("{method} {template} has no file part {file}"));
            }
        }
        self.validate(schema, body).map_err(|error| format!("{method} {template}: {error} in {body}"))
    }

    fn validate(&self, schema: &Value, body: &Value) -> Result<(), String> {
        let mut closed = schema.clone();
        close(&mut closed);
        let document = json!({ "allOf": [closed], "components": self.document["components"] });
        let validator = jsonschema::draft202012::new(&document).map_err(|error| error.to_string())?;
        validator.validate(body).map_err(|error| format!("{error} at {}", error.instance_path()))
    }

    /// The operations of the path template that matches best: literal segments before variables.
    fn operations(&self, path: &str) -> Option<(&str, &Value)> {
        let segments: Vec<&str> = path.split('/').collect();
        let variables = |template: &str| template.matches('{').count();
        let matches = |template: &str| {
            let parts: Vec<&str> = template.split('/').collect();
            parts.len() == segments.len()
                && parts.iter().zip(&segments).all(|(part, segment)| part.starts_with('{') || part == segment)
        };
        let paths = self.document["paths"].as_object()?;
        let found = paths.iter().filter(|(template, _)| matches(template));
        found
            .min_by_key(|(template, _)| variables(template))
            .map(|(template, operations)| (template.as_str(), operations))
    }
}

/// Forbids properties that the object schemas within `schema` do not name.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            let closable = object.contains_key("properties") && !object.contains_key("additionalProperties");
            if closable {
                object.insert("additionalProperties".into(), Value::Bool(false));
            }
            for (key, inner) in object.iter_mut() {
                // Each part of an `allOf` is given the whole object.
                if key != "allOf" {
                    close(inner);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

#[test]
#[cfg_attr(not(with_specs), ignore = "set FACEGUESSER_SPECS: no request of the bot is checked against Discord's API")]
fn discords_own_description_accepts_a_known_request_and_no_other() {
    let api = OpenApi::new(super::specification("discord-openapi.json").expect("this test has the description"));
    assert_eq!(api.check("get", "/gateway/bot", "", &Value::Null, &[]), Ok(()));
    assert!(api.check("post", "/gateway/bot", "", &Value::Null, &[]).is_err());
}

#[test]
fn requests_that_do_not_match_the_description_are_errors() {
    let document = json!({
        "paths": {
            "/things/{id}": { "post": {
                "parameters": [{ "in": "query", "name": "wait" }],
                "requestBody": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Thing" } } } }
            } },
            "/things/all": { "get": {} }
        },
        "components": { "schemas": { "Thing": {
            "type": "object", "required": ["name"], "properties": { "name": { "type": "string", "maxLength": 3 } }
        } } }
    });
    let api = OpenApi::new(document);
    assert_eq!(api.check("post", "/things/5", "wait=true", &json!({ "name": "cup" }), &[]), Ok(()));
    assert_eq!(api.check("get", "/things/all", "", &Value::Null, &[]), Ok(()));
    let invalid = [
        ("post", "/thing/5", "", json!({ "name": "cup" })),
        ("put", "/things/5", "", json!({ "name": "cup" })),
        ("post", "/things/5", "until=1", json!({ "name": "cup" })),
        ("post", "/things/5", "", json!({ "name": "plate" })),
        ("post", "/things/5", "", json!({ "name": 7 })),
        ("post", "/things/5", "", json!({})),
        ("post", "/things/5", "", json!({ "name": "cup", "colour": "red" })),
        ("get", "/things/all", "", json!({ "name": "cup" })),
    ];
    for (method, path, query, body) in invalid {
        assert!(api.check(method, path, query, &body, &[]).is_err(), "{method} {path}?{query} {body}");
    }
}
