//! The text about several faces: a numbered line for each, and what would help.

use super::{ReplyStyle, clipped, doubt, flaw_name};
use crate::face::{FaceOrder, Flaw};
use crate::{Analysis, FaceAnalysis};

/// The most flaws that the summary under several faces names.
const MAX_HELP: usize = 3;

impl ReplyStyle {
    /// As [`ReplyStyle::guess`], in parts, for a page that shows each face's line next to its box: the lead, and if there
    /// are several faces a line for each and what follows the lines.
    pub fn guess_in_parts(&self, analysis: &Analysis) -> (String, Vec<String>, Option<String>) {
        let faces = analysis.faces.as_slice();
        if faces.len() < 2 {
            return (self.guess(analysis, usize::MAX), Vec::new(), None);
        }
        let cut_short = analysis.cut_short.then(|| self.language.message("picture-cut-short"));
        let (lead, lines) = self.numbered_faces(analysis);
        let notes: Vec<String> = [self.help(faces), cut_short].into_iter().flatten().collect();
        (lead, lines, (!notes.is_empty()).then(|| notes.join(" ")))
    }

    /// The text about all faces, at most `max_characters` long.
    pub(super) fn several(&self, analysis: &Analysis, max_characters: usize) -> String {
        let (mut text, lines) = self.numbered_faces(analysis);
        let help = self.help(&analysis.faces).map(|help| format!("\n{help}")).unwrap_or_default();
        // Reserve characters for what would help and for the line that counts the faces left out.
        let available = max_characters.saturating_sub(40 + help.chars().count());
        let mut length = text.chars().count();
        for (index, line) in lines.iter().enumerate() {
            length += 1 + line.chars().count();
            if length > available {
                let more = self.language.message_with("faces-more", &[("count", (lines.len() - index).into())]);
                return clipped(&format!("{text}\n{more}{help}"), max_characters);
            }
            text = format!("{text}\n{line}");
        }
        text + &help
    }

    /// The lead and a line for each face. If no age is sure, the lead says so, and the lines do not repeat it.
    fn numbered_faces(&self, analysis: &Analysis) -> (String, Vec<String>) {
        let faces = &analysis.faces;
        let no_age_is_sure = !faces.iter().any(|face| self.is_age_sure(face));
        let order = match analysis.order() {
            FaceOrder::LeftToRight => "across",
            FaceOrder::TopToBottom => "down",
        };
        let ages = if no_age_is_sure { "unsure" } else { "some-sure" };
        let variables = [("count", faces.len().into()), ("order", order.into()), ("ages", ages.into())];
        let line = |(number, face): (usize, &FaceAnalysis)| {
            let person = self.person_and_smile(face);
            let mut variables = vec![("number", number.into()), ("person", (&person).into())];
            // That an age is unsure needs no words where the lead says so, or the range does.
            let age_in_doubt = !no_age_is_sure && !self.is_age_sure(face) && !face.estimate.is_age_unknown();
            match doubt(age_in_doubt, self.is_gender_in_doubt(face)) {
                None => self.language.message_with("face-sure", &variables),
                Some(what) => {
                    variables.push(("what", what.into()));
                    self.language.message_with("face-unsure", &variables)
                }
            }
        };
        (self.language.message_with("faces", &variables), (1..).zip(faces).map(line).collect())
    }

    /// One sentence about what would help the unsure faces, the flaws of the most faces first; `None` if
    /// every face is sure, or nothing is known to help.
    fn help(&self, faces: &[FaceAnalysis]) -> Option<String> {
        let unsure: Vec<(usize, &FaceAnalysis)> = (1..).zip(faces).filter(|(_, face)| !self.is_sure(face)).collect();
        let mut flaws: Vec<(Flaw, Vec<String>)> = Vec::new();
        for (number, face) in &unsure {
            for flaw in &face.flaws {
                match flaws.iter_mut().find(|(known, _)| known == flaw) {
                    Some((_, numbers)) => numbers.push(number.to_string()),
                    None => flaws.push((*flaw, vec![number.to_string()])),
                }
            }
        }
        if flaws.is_empty() {
            let good = unsure.iter().all(|(_, face)| face.good_photo);
            let age_in_doubt = unsure.iter().any(|(_, face)| !self.is_age_sure(face));
            let what = doubt(age_in_doubt, unsure.iter().any(|(_, face)| self.is_gender_in_doubt(face)))?;
            return good.then(|| self.language.message_with("faces-good-photo", &[("what", what.into())]));
        }
        flaws.sort_by_key(|(_, numbers)| std::cmp::Reverse(numbers.len()));
        let help = flaws.iter().take(MAX_HELP).map(|(flaw, numbers)| {
            let help = self.language.message(&format!("help-{}", flaw_name(*flaw)));
            if numbers.len() == faces.len() {
                return help;
            }
            let numbers = numbers.join(", ");
            let variables = [("help", (&help).into()), ("numbers", (&numbers).into())];
            self.language.message_with("help-for-faces", &variables)
        });
        let help = help.collect::<Vec<_>>().join("; ");
        Some(self.language.message_with("faces-help", &[("help", (&help).into())]))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{analysis, face};
    use super::*;

    /// Sure from a spread of 10 years down.
    const STYLE: fn() -> ReplyStyle = || ReplyStyle::plain(0.5);

    #[test]
    fn a_crowd_is_numbered_and_fits_the_platform() {
        let crowd = analysis((0..40).map(|age| face(age + 20, 0.9, 5, &[Flaw::TooSmall])).collect());
        let text = ReplyStyle::plain(0.0).guess(&crowd, 1024);
        assert!(text.starts_with("I see 40 faces, numbered from left to right:\n1. a woman of about 20"), "{text}");
        assert!(text.chars().count() <= 1024 && text.contains(" more."), "{text}");
        let unsure = ReplyStyle::plain(1.0).guess(&crowd, 5000);
        assert!(unsure.ends_with("\nWhat would help: coming closer, or the photo in its original size."), "{unsure}");
        assert!(ReplyStyle::plain(0.0).alternative_text(&crowd).chars().count() <= 1000);
    }

    #[test]
    fn ages_that_are_all_unsure_are_called_so_once() {
        let text = |spreads: [usize; 2], female: [f32; 2]| {
            let faces =
                (0..2).map(|at| face(31, female[at], spreads[at], if spreads[at] > 5 { &[Flaw::Dark] } else { &[] }));
            STYLE().guess(&analysis(faces.collect()), 2000)
        };
        let mixed = text([20, 5], [0.99, 0.7]);
        assert!(mixed.starts_with("I see 2 faces, numbered from left to right:\n1. "), "{mixed}");
        assert!(mixed.contains(" (age unsure)\n2. ") && mixed.contains(" (gender unsure)\nWhat would help"), "{mixed}");
        let none_sure = text([20, 20], [0.99, 0.7]);
        assert!(
            none_sure
                .starts_with("I see 2 faces, numbered from left to right; I'm not sure about any of the ages:\n1. "),
            "{none_sure}"
        );
        assert!(!none_sure.contains("(age") && none_sure.contains(" (gender unsure)\nWhat would help"), "{none_sure}");
    }

    #[test]
    fn only_what_is_unsure_is_excused_by_a_good_photo() {
        let ends = |spread, female, end: &str| {
            let text = STYLE().guess(&analysis(vec![face(31, 0.99, 5, &[]), face(31, female, spread, &[])]), 2000);
            assert!(text.ends_with(end), "{text}");
        };
        ends(20, 0.99, "whoever I'm unsure about could simply be several ages.");
        ends(5, 0.7, "whoever I'm unsure about could simply be either gender.");
        ends(20, 0.7, "whoever I'm unsure about could simply be several ages, or either gender.");
        ends(5, 0.99, "\n2. a woman of about 31 (likely 27 to 35)");
    }

    #[test]
    fn a_column_of_faces_is_numbered_from_top_to_bottom() {
        let mut column = analysis((0..3).map(|_| face(31, 0.99, 5, &[])).collect());
        for (number, face) in column.faces.iter_mut().enumerate() {
            face.bounds.y = 100.0 * number as f32;
        }
        let (lead, lines, _) = STYLE().guess_in_parts(&column);
        assert_eq!((lead.as_str(), lines.len()), ("I see 3 faces, numbered from top to bottom:", 3));
    }
}
