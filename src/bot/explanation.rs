//! "How do you see me?": the words on the card of an explanation, its caption, and what it shows for people who do
//! not see it.

use super::languages::{Language, Value};
use super::settings::GenderPolicy;
use super::wording::clipped;
use super::{Answer, Bot, Card, PhotoSource, Problem, ReplyStyle};
use crate::explain::draw::{self, Script, Words};
use crate::explain::{Change, ChangeKind, Explanation, Votes};
use crate::inference::FlowId;

/// The most characters of a picture's alternative text; Discord's limit is 1,024.
const ALTERNATIVE_TEXT: usize = 1000;

/// An explanation in words and as a card.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// The numbers and maps.
    pub explanation: Explanation,
    /// The caption, and the two cards if requested and drawn.
    pub answer: Answer,
}

impl Bot {
    /// Explains the face of this index, from 0; waits behind guesses.
    ///
    /// # Errors
    /// The problem to report to the asker.
    pub async fn explain(
        &self,
        flow: FlowId,
        source: PhotoSource,
        face: usize,
        style: &ReplyStyle,
        cards: bool,
    ) -> Result<Explained, Problem> {
        let started = std::time::Instant::now();
        let photo = source.fetch(&self.downloader).await?;
        let bytes = photo.len();
        let explanation = self.pool.explain(flow, photo, face).await.map_err(Problem::from);
        super::log(explanation.as_ref().map(|explanation| explanation.faces), bytes, started);
        let explanation = explanation?;
        let mut answer = Answer::from(style.explanation(&explanation));
        if cards {
            let (words, drawn) = (style.words(&explanation), explanation.clone());
            let draw = move |limits: crate::photo::DecodeLimits| {
                let _memory = limits.memory.reserve(draw::MEMORY.min(limits.memory.total()));
                Ok(draw::cards(&drawn, &words)?)
            };
            let texts = style.explanation_alternative_texts(&explanation);
            let jpegs = self.draw(draw).await.into_iter().flatten();
            let card = |(jpeg, alternative_text): (Vec<u8>, String)| Card { jpeg: jpeg.into(), alternative_text };
            answer.cards.extend(jpegs.zip(texts).map(card));
        }
        Ok(Explained { explanation, answer })
    }
}

impl ReplyStyle {
    /// The caption of an explanation.
    pub fn explanation(&self, explanation: &Explanation) -> String {
        let face = &explanation.face;
        let (low, high) = face.estimate.age_interval;
        let variables = [("age", face.age().into()), ("low", low.into()), ("high", high.into())];
        let seen = self.language.message_with("seen", &variables);
        let gender = self.female_share(explanation);
        let parts = [Some(seen), gender, Some(self.regions(explanation)), Some(self.tipping(explanation))];
        let note = self.language.message("explain-note");
        parts.into_iter().flatten().chain([note]).collect::<Vec<_>>().join(" ")
    }

    /// What the two cards show, for people who do not see them.
    pub fn explanation_alternative_texts(&self, explanation: &Explanation) -> [String; 2] {
        let estimate = &explanation.face.estimate;
        let shares = estimate.age_probabilities.iter().enumerate();
        let peak = shares.max_by(|one, other| one.1.total_cmp(other.1)).map_or(0, |(year, _)| year);
        let same = std::iter::once(estimate.age());
        let framings = explanation.framings();
        let ages = same.chain(framings.iter().map(|change| change.estimate.age()));
        let guesses = ages.map(|age| format!("{age:.0}")).collect::<Vec<_>>().join(", ");
        let regions = self.regions(explanation);
        let at_work = self.sum(explanation);
        let inside = self.language.message_with("alternative-text-inside", &[("sum", (&at_work).into())]);
        let variables = [
            ("age", estimate.age().into()),
            ("peak", peak.into()),
            ("guesses", (&guesses).into()),
            ("regions", (&regions).into()),
        ];
        [inside, self.language.message_with("alternative-text-outcome", &variables)]
            .map(|text| clipped(&text, ALTERNATIVE_TEXT))
    }

    /// Every word on the card.
    pub fn words(&self, explanation: &Explanation) -> Words {
        let language = self.language;
        let message = |id: &str| language.message(id);
        let number = |value: f32| self.decimals(value, 1, false);
        let face = &explanation.face;
        let (low, high) = face.estimate.age_interval;
        let (width, height) = explanation.photo;
        let pixels = u64::from(width) * u64::from(height);
        let years = &explanation.occlusion.years;
        let (older, younger) =
            years.iter().fold((0.0f32, 0.0f32), |(high, low), change| (high.max(*change), low.min(*change)));
        let votes = |id: &str, votes: &Votes| {
            let (bias, logit) = (self.decimals(votes.bias, 1, true), self.decimals(votes.logit, 1, true));
            let variables = [("age", face.age().into()), ("bias", (&bias).into()), ("logit", (&logit).into())];
            language.message_with(id, &variables)
        };
        Words {
            script: if language == Language::Japanese { Script::Japanese } else { Script::Alphabetic },
            decimal_mark: message("decimal-mark"),
            title: message("explain-title"),
            headings: ["explain-numbers", "explain-filter", "explain-voted", "explain-vote", "explain-change"]
                .map(message),
            photo: language.message_with(
                "explain-photo",
                &[
                    ("width", u64::from(width).into()),
                    ("height", u64::from(height).into()),
                    ("colours", (&self.whole(3 * pixels)).into()),
                    ("greys", (&self.whole(pixels)).into()),
                ],
            ),
            crop: language.message_with("explain-crop", &[("numbers", (&self.whole(128 * 128)).into())]),
            first_row: message("explain-first-row"),
            inputs: message("explain-inputs"),
            weights: message("explain-weights"),
            products: message("explain-products"),
            sum: self.sum(explanation),
            strongest: message("explain-strongest"),
            deep: language.message_with(
                "explain-deep",
                &[("channel", (explanation.deep.channel + 1).into()), ("channels", explanation.deep.channels.into())],
            ),
            deep_captions: ["explain-deep-here", "explain-deep-mean", "explain-deep-fired"].map(message),
            age_votes: votes("explain-age-votes", &explanation.age_votes),
            gender_votes: self.tells_genders().then(|| votes("explain-gender-votes", &explanation.gender_votes)),
            covered: language.message_with(
                "explain-covered",
                &[("younger", (&number(-younger)).into()), ("older", (&number(older)).into())],
            ),
            regions: self.regions(explanation),
            legend: ["explain-negative", "explain-positive"].map(message),
            shaky: self.shaky(explanation),
            axes: ["explain-axis-age", "explain-axis-probability"].map(message),
            median: language.message_with("explain-median", &[("age", face.age().into())]),
            range: language.message_with("explain-range", &[("low", low.into()), ("high", high.into())]),
            gender: self.female_share(explanation),
            framings: self.framings(explanation),
            tipping: self.tipping(explanation),
            note: message("explain-note"),
        }
    }

    /// Whether maps and probabilities of genders are shown.
    pub(super) fn tells_genders(&self) -> bool {
        self.gender != GenderPolicy::Never
    }

    /// The nearest change that would turn a sure guess into an unsure one, or the reverse.
    pub(super) fn tipping(&self, explanation: &Explanation) -> String {
        let sure = if self.is_sure(&explanation.face) { "yes" } else { "no" };
        match explanation.tipping(|face| self.is_sure(face)) {
            Some(change) => {
                let change = self.change(change.kind.name(), change.amount);
                self.language.message_with("explain-tips", &[("sure", sure.into()), ("change", (&change).into())])
            }
            None => {
                let tried = explanation.changes.len();
                self.language.message_with("explain-tips-not", &[("sure", sure.into()), ("tried", tried.into())])
            }
        }
    }

    /// What the filter at work adds up to.
    fn sum(&self, explanation: &Explanation) -> String {
        let at_work = &explanation.at_work;
        let (sum, output) = (self.decimals(at_work.sum, 2, false), self.decimals(at_work.output, 2, false));
        let bias = self.decimals(at_work.bias, 2, true);
        let variables = [("sum", (&sum).into()), ("bias", (&bias).into()), ("output", (&output).into())];
        self.language.message_with("explain-sum", &variables)
    }

    fn female_share(&self, explanation: &Explanation) -> Option<String> {
        let female = Value::from(100.0 * explanation.face.estimate.female_probability);
        self.tells_genders().then(|| self.language.message_with("seen-gender", &[("female", female)]))
    }

    /// What covering each region does, the largest change first.
    fn regions(&self, explanation: &Explanation) -> String {
        let region = |(region, years): &(crate::explain::occlusion::Region, f32)| {
            let years = self.decimals(*years, 1, true);
            let variables = [("region", region.name().into()), ("years", (&years).into())];
            self.language.message_with("explain-region", &variables)
        };
        let regions = explanation.occlusion.regions.iter().map(region).collect::<Vec<_>>();
        let regions = regions.join(&self.language.message("list-separator"));
        self.language.message_with("explain-regions", &[("regions", (&regions).into())])
    }

    fn shaky(&self, explanation: &Explanation) -> Option<String> {
        let map = match (explanation.age_votes.is_shaky(), explanation.occlusion.is_shaky()) {
            (true, true) => "both",
            (true, false) => "votes",
            (false, true) => "covered",
            (false, false) => return None,
        };
        Some(self.language.message_with("explain-shaky", &[("map", map.into())]))
    }

    /// The name and the guess of each framing.
    fn framings(&self, explanation: &Explanation) -> Vec<[String; 2]> {
        let framing = |name: String, face: &crate::FaceAnalysis| {
            let sure = if self.is_sure(face) { "yes" } else { "no" };
            let (low, high) = face.age_range();
            let variables =
                [("age", face.age().into()), ("low", low.into()), ("high", high.into()), ("sure", sure.into())];
            [name, self.language.message_with("explain-framing", &variables)]
        };
        let same = framing(self.change("same", 0.0), &explanation.face);
        let others = explanation.framings().into_iter().map(|change: &Change| {
            framing(self.change(change.kind.name(), change.amount), &explanation.changed(change))
        });
        std::iter::once(same).chain(others).collect()
    }

    /// A change in a few words.
    fn change(&self, kind: &str, amount: f32) -> String {
        let decimals = if kind == ChangeKind::Blurred.name() { 1 } else { 0 };
        let amount = self.decimals(amount, decimals, false);
        self.language.message_with("explain-kind", &[("kind", kind.into()), ("amount", (&amount).into())])
    }

    /// A whole number with separated thousands.
    fn whole(&self, number: u64) -> String {
        let digits = number.to_string();
        let separator = self.language.message("thousands-separator");
        let groups: Vec<&str> =
            digits.as_bytes().rchunks(3).rev().filter_map(|g| std::str::from_utf8(g).ok()).collect();
        groups.join(&separator)
    }

    /// A number with this many decimals; `plus` puts a sign before positive ones.
    fn decimals(&self, value: f32, decimals: usize, plus: bool) -> String {
        draw::number(value, decimals, plus, &self.language.message("decimal-mark"))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use super::*;
    use crate::Guesser;
    use crate::explain::explain;

    fn explanation() -> &'static Explanation {
        static EXPLANATION: OnceLock<Explanation> = OnceLock::new();
        EXPLANATION.get_or_init(|| {
            explain(&Guesser::builtin().unwrap(), include_bytes!("../../models/mean-face.jpg"), 0).unwrap()
        })
    }

    #[test]
    fn every_letter_on_the_card_is_in_its_font_in_every_language() {
        use ab_glyph::{Font, FontRef};
        for language in Language::ALL {
            let words = ReplyStyle { language, ..ReplyStyle::plain(0.5) }.words(explanation());
            let font = FontRef::try_from_slice(words.script.font_file()).unwrap();
            let missing = |letter: &char| !letter.is_whitespace() && font.glyph_id(*letter).0 == 0;
            let missing: String = format!("{words:?}").replace("\\u{a0}", "").chars().filter(missing).collect();
            assert!(missing.is_empty(), "{language:?}: {missing}");
        }
    }

    #[test]
    fn a_gender_is_left_out_of_every_word_where_it_is_not_wanted() {
        for language in Language::ALL {
            let style = ReplyStyle { language, ..ReplyStyle::plain(0.5) };
            let never = ReplyStyle { gender: GenderPolicy::Never, ..style };
            let gender = style.female_share(explanation()).unwrap();
            assert!(style.explanation(explanation()).contains(&gender));
            assert!(!never.explanation(explanation()).contains(&gender));
            let words = never.words(explanation());
            assert!(words.gender.is_none() && words.gender_votes.is_none());
            let report = super::super::explanation_report::report(explanation(), &never);
            assert!(report["votes"]["gender"].is_null() && report["vote"]["female_probability"].is_null());
        }
    }

    #[test]
    fn captions_and_alternative_texts_fit_every_platform() {
        for language in Language::ALL {
            let style = ReplyStyle { language, ..ReplyStyle::plain(0.5) };
            let caption = style.explanation(explanation());
            // Telegram's limit for captions, and Discord's for alternative texts.
            assert!(caption.chars().count() <= 1024, "{language:?}: {caption}");
            for alternative in style.explanation_alternative_texts(explanation()) {
                assert!(alternative.chars().count() < ALTERNATIVE_TEXT, "{language:?}: {alternative}");
            }
        }
        let english = ReplyStyle::plain(0.5);
        assert_eq!((english.whole(2_875_200), english.whole(999)), ("2,875,200".to_owned(), "999".to_owned()));
        assert_eq!(english.decimals(-0.04, 1, true), "+0.0");
        let german = ReplyStyle { language: Language::German, ..english };
        assert_eq!((german.whole(16_384), german.decimals(-1.26, 1, true)), ("16.384".to_owned(), "−1,3".to_owned()));
    }
}
