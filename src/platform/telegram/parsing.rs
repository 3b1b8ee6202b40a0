//! Finds commands and mentions in the text of messages.

/// A command in a text.
#[derive(Clone)]
pub(super) struct CommandCall<'a> {
    /// Where it starts, in bytes.
    pub(super) position: usize,
    pub(super) name: &'a str,
    /// Whether it is addressed to this bot (`/name@bot`).
    pub(super) names_bot: bool,
    pub(super) arguments: &'a str,
}

/// The commands in a text, except those addressed to another bot than `me`: `/name` or `/name@bot`,
/// not inside a word or a path. Telegram marks the same with entities, which some messages lack.
pub(super) fn commands<'a>(text: &'a str, me: &'a str) -> impl Iterator<Item = CommandCall<'a>> + Clone {
    text.match_indices('/').filter_map(move |(position, _)| {
        if text[..position].ends_with(|before: char| before.is_alphanumeric() || "/_.:<>-@".contains(before)) {
            return None;
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let rest = &text[position + 1..];
        let (name, rest) = rest.split_at(rest.find(|c| !is_name(c)).unwrap_or(rest.len()));
        if name.is_empty() || rest.starts_with('/') {
            return None;
        }
        let (names_bot, arguments) = match rest.strip_prefix('@') {
            Some(bot) => {
                let (bot, rest) = bot.split_at(bot.find(|c| !is_name(c)).unwrap_or(bot.len()));
                (Some(bot.eq_ignore_ascii_case(me)).filter(|is_me| *is_me)?, rest)
            }
            None => (false, rest),
        };
        Some(CommandCall { position, name, names_bot, arguments: arguments.trim() })
    })
}

/// Whether a text mentions `@name`.
pub(super) fn mentions(text: &str, name: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices('@').any(|(position, _)| {
        let rest = &text[position + 1..];
        let mentioned = rest.split(|c| !is_name(c)).next().unwrap_or_default();
        // "/guess@another_bot" and "somebody@example.org" mention nobody.
        mentioned.eq_ignore_ascii_case(name) && !text[..position].ends_with(is_name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_found_anywhere_but_not_inside_words_or_for_other_bots() {
        let names = |text| commands(text, "my_bot").map(|call| call.name).collect::<Vec<_>>();
        assert_eq!(names("how old? /guess, please"), ["guess"]);
        assert_eq!(names("/game@My_Bot 30"), ["game"]);
        assert_eq!(names("(/guess)"), ["guess"]);
        for none in ["https://a.b/guess", "and/guess", "/guess@other_bot", "/guess/now", "/", "//guess", "1/2"] {
            assert_eq!(names(none), [""; 0], "{none}");
        }
    }

    #[test]
    fn a_mention_is_a_whole_name() {
        assert!(mentions("Hey @My_bot, who?", "my_bot") && mentions("@my_bot", "my_bot"));
        for none in ["@my_bots", "me@my_bot", "my_bot", "@", "@my"] {
            assert!(!mentions(none, "my_bot"), "{none}");
        }
    }
}
