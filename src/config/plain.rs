//! What is wrong with a setting, in words for people who know neither Rust nor serde.

/// Rewords the message of a deserialisation error about `key`; one that is not known stays as it is.
pub(super) fn words(key: &str, message: &str) -> String {
    let message = message.trim().replace('\n', ", ");
    if let Some((name, known)) = parts(&message, "unknown field ", ", expected ") {
        return match known {
            "" | "there are no fields" => format!("there is no setting {name}"),
            known => format!("there is no setting {name} here; there are {}", listed(known, "and")),
        };
    }
    if let Some((name, allowed)) = parts(&message, "unknown variant ", ", expected ") {
        return format!("must be {}, not {name}", listed(allowed, "or"));
    }
    for start in ["invalid type: ", "invalid value: "] {
        if let Some((found, wanted)) = parts(&message, start, ", expected ") {
            return format!("must be {}, not {}", example(key).unwrap_or_else(|| kind(wanted)), value(found));
        }
    }
    match example(key) {
        Some(example) => format!("must be {example}"),
        None => message,
    }
}

/// The parts of a message before and after `middle`, without its `start` and without back-quotes.
fn parts<'a>(message: &'a str, start: &str, middle: &str) -> Option<(&'a str, &'a str)> {
    let (before, after) = message.strip_prefix(start)?.split_once(middle)?;
    Some((before.trim_matches('`'), after))
}

/// serde's "`a` or `b`" or "one of `a`, `b`, `c`" as a list with `last` before its last item.
fn listed(names: &str, last: &str) -> String {
    let names: Vec<&str> = names.split('`').skip(1).step_by(2).collect();
    match names.split_last() {
        Some((only, [])) => (*only).to_owned(),
        Some((end, rest)) => format!("{} {last} {end}", rest.join(", ")),
        None => String::new(),
    }
}

/// What a setting has to be, where its key says it.
fn example(key: &str) -> Option<String> {
    let name = key.rsplit('.').next().unwrap_or_default();
    let is_list = name.contains('[');
    let name = name.split('[').next().unwrap_or_default();
    let example = match name {
        "listen" | "webhook_listen" => "an address with a port, such as \"127.0.0.1:8080\"",
        "gateway" => "an address such as \"wss://gateway.example\"",
        "api_base" | "file_base" | "homeserver" | "webhook_url" => "an address such as \"https://example.org\"",
        "file_hosts" if is_list => "an address such as \"https://example.org\"",
        "photo_bytes" | "photo_memory" | "decode_memory" => "a size such as \"20 MiB\"",
        "deadline" | "grace" | "cpu_time" | "download_timeout" | "person_every" | "chat_every" | "patience" => {
            "a duration such as \"20s\" or \"2min\""
        }
        "channels" if is_list => "a channel's ID, a whole number",
        _ => return None,
    };
    Some(example.to_owned())
}

/// serde's name of what it expected.
fn kind(wanted: &str) -> String {
    let wanted = wanted.trim_matches('`');
    match wanted {
        "a boolean" => "true or false",
        "usize" | "u64" | "u32" | "u16" | "u8" => "a whole number, not below 0",
        "f32" | "f64" => "a number",
        "a string" | "string" | "path string" => "text in quotation marks",
        "a sequence" => "a list, such as [1, 2]",
        _ if wanted.starts_with("struct ") || wanted == "a map" => "a section with settings of its own",
        other => other,
    }
    .to_owned()
}

/// serde's description of a value.
fn value(found: &str) -> String {
    match found.split_once(' ') {
        Some(("string", text)) => text.to_owned(),
        Some(("integer" | "boolean", value)) => value.trim_matches('`').to_owned(),
        Some(("floating", value)) => value.trim_start_matches("point ").trim_matches('`').to_owned(),
        _ if found == "map" => "a section".to_owned(),
        _ if found == "sequence" => "a list".to_owned(),
        _ => found.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn messages_are_reworded_and_unknown_ones_kept() {
        for (key, message, told) in [
            (
                "web.listne",
                "unknown field `listne`, expected `enabled` or `listen`",
                "there is no setting listne here; there are enabled and listen",
            ),
            ("log.format", "unknown variant `xml`, expected `text` or `json`", "must be text or json, not xml"),
            (
                "guess.gender",
                "unknown variant `no`, expected one of `always`, `sure`, `never`",
                "must be always, sure or never, not no",
            ),
            ("web.enabled", "invalid type: integer `2`, expected a boolean", "must be true or false, not 2"),
            (
                "inference.workers",
                "invalid type: floating point `2.5`, expected usize",
                "must be a whole number, not below 0, not 2.5",
            ),
            (
                "web",
                "invalid type: integer `5`, expected struct Web",
                "must be a section with settings of its own, not 5",
            ),
            (
                "limits.cpu_time",
                "invalid value: string \"x\", expected a duration",
                "must be a duration such as \"20s\" or \"2min\", not \"x\"",
            ),
            (
                "web.listen",
                "invalid socket address syntax",
                "must be an address with a port, such as \"127.0.0.1:8080\"",
            ),
            ("models.new", "something else", "something else"),
        ] {
            assert_eq!(words(key, message), told);
        }
    }
}
