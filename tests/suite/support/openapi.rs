//! Holds requests against Discord's OpenAPI description: unknown paths, methods, query keys and
//! fields, wrong types and missing parts are told.

use serde_json::{Value, json};

pub struct OpenApi {
    document: Value,
}

impl OpenApi {
    /// Closes every object schema, so that a field it does not name is a fault.
    pub fn new(mut document: Value) -> Self {
        close(&mut document["components"]["schemas"]);
        Self { document }
    }

    /// Checks one request; `path` lies below the version, `files` are the upload's part names.
    pub fn check(&self, method: &str, path: &str, query: &str, body: &Value, files: &[&str]) -> Result<(), String> {
        let (template, operations) = self.operations(path).ok_or_else(|| format!("unknown path {path}"))?;
        let operation = operations.get(method).ok_or_else(|| format!("{template} knows no {method}"))?;
        for key in query.split('&').filter_map(|pair| pair.split('=').next()).filter(|key| !key.is_empty()) {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            if !parameters.into_iter().any(|one| one["in"] == "query" && one["name"] == key) {
                return Err(format!("{method} {template} knows no query key {key}"));
            }
        }
        let content = &operation["requestBody"]["content"];
        let Some(schema) = content.get("application/json").map(|kind| &kind["schema"]) else {
            let empty = body.is_null() || body.as_object().is_some_and(|body| body.is_empty());
            return if empty { Ok(()) } else { Err(format!("{method} {template} takes no body, got {body}")) };
        };
        for file in files {
            let form = &content["multipart/form-data"]["schema"];
            // Where a request has two forms, Discord's description leaves out the files of both.
            let parts = form["allOf"].as_array().into_iter().flatten();
            let named =
                form["anyOf"].is_array() || parts.into_iter().any(|part| part["properties"].get(file).is_some());
            if !named {
                return Err(format!("{method} {template} knows no file part {file}"));
            }
        }
        self.validate(schema, body).map_err(|fault| format!("{method} {template}: {fault} in {body}"))
    }

    fn validate(&self, schema: &Value, body: &Value) -> Result<(), String> {
        let mut whole = schema.clone();
        close(&mut whole);
        let whole = json!({ "allOf": [whole], "components": self.document["components"] });
        let validator = jsonschema::draft202012::new(&whole).map_err(|fault| fault.to_string())?;
        validator.validate(body).map_err(|fault| format!("{fault} at {}", fault.instance_path()))
    }

    /// The operations of the path template that fits best: named segments before variables.
    fn operations(&self, path: &str) -> Option<(&str, &Value)> {
        let segments: Vec<&str> = path.split('/').collect();
        let variables = |template: &str| template.matches('{').count();
        let fits = |template: &str| {
            let parts: Vec<&str> = template.split('/').collect();
            parts.len() == segments.len()
                && parts.iter().zip(&segments).all(|(part, segment)| part.starts_with('{') || part == segment)
        };
        let paths = self.document["paths"].as_object()?;
        let found = paths.iter().filter(|(template, _)| fits(template));
        found
            .min_by_key(|(template, _)| variables(template))
            .map(|(template, operations)| (template.as_str(), operations))
    }
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            let closable = object.contains_key("properties") && !object.contains_key("additionalProperties");
            if closable {
                object.insert("additionalProperties".into(), Value::Bool(false));
            }
            for (key, inner) in object.iter_mut() {
                // The parts of an "all of" each see the whole object.
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
fn requests_that_do_not_fit_the_description_are_told() {
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
    let faults = [
        ("post", "/thing/5", "", json!({ "name": "cup" })),
        ("put", "/things/5", "", json!({ "name": "cup" })),
        ("post", "/things/5", "until=1", json!({ "name": "cup" })),
        ("post", "/things/5", "", json!({ "name": "plate" })),
        ("post", "/things/5", "", json!({ "name": 7 })),
        ("post", "/things/5", "", json!({})),
        ("post", "/things/5", "", json!({ "name": "cup", "colour": "red" })),
        ("get", "/things/all", "", json!({ "name": "cup" })),
    ];
    for (method, path, query, body) in faults {
        assert!(api.check(method, path, query, &body, &[]).is_err(), "{method} {path}?{query} {body}");
    }
}
