//! Turns analyses into text: the guess, how sure it is, and tips for a better photo.

mod group;

use super::languages::Language;
use super::settings::{GenderPolicy, SmilePolicy};
use crate::face::{Flaw, Rotation};
use crate::{Analysis, FaceAnalysis};

/// Ages that round to less than this many years are called a baby.
const TODDLER: f32 = 2.0;
/// Minors of at least this many years whose gender is left out are called a young person.
const TEENAGER: f32 = 13.0;
/// Probability below which a stated gender is said to be unsure: one in five is wrong there.
const SURE_GENDER: f32 = 0.8;
/// The most characters of a picture's alternative text; Discord's limit is 1,024.
const ALTERNATIVE_TEXT: usize = 1000;

/// How to reply to somebody: their language, the applicable gender policy and the thresholds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReplyStyle {
    /// The language of the text.
    pub language: Language,
    /// The policy that applies to this reply.
    pub gender: GenderPolicy,
    /// Whether this reply mentions a smile.
    pub smile: SmilePolicy,
    /// The confidence score in 0..=1 from which a guess counts as sure.
    pub confident: f32,
    /// The probability from which [`GenderPolicy::Sure`] states a gender.
    pub gender_sure: f32,
}

impl ReplyStyle {
    /// English, without restrictions on genders and smiles.
    pub fn plain(confident: f32) -> Self {
        let (gender, smile) = (GenderPolicy::Always, SmilePolicy::Sure);
        Self { language: Language::English, gender, smile, confident, gender_sure: 0.5 }
    }

    /// The text for an analysed photo, at most `max_characters` long.
    pub fn guess(&self, analysis: &Analysis, max_characters: usize) -> String {
        let cut_short = analysis.cut_short.then(|| self.language.message("picture-cut-short"));
        let available = max_characters.saturating_sub(cut_short.as_ref().map_or(0, |text| text.chars().count() + 1));
        let text = match analysis.faces.as_slice() {
            [] => self.language.message("no-face"),
            [face] => self.single(face),
            _ => self.several(analysis, available),
        };
        let one = analysis.faces.len() == 1;
        let rotated = analysis.rotation.filter(|_| one).map(|rotation| self.language.message(rotated(rotation)));
        [Some(text), rotated, cut_short].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// The text for a guess from the square in the middle of a photo without a face.
    pub fn guess_anyway(&self, face: &FaceAnalysis) -> String {
        self.language.message_with("guess-anyway", &[("person", (&self.person_and_smile(face)).into())])
    }

    /// Whether a guess counts as sure: the age's confidence reaches the threshold, and a gender that is
    /// stated is not in doubt.
    pub fn is_sure(&self, face: &FaceAnalysis) -> bool {
        self.doubt(face).is_none()
    }

    /// Whether the age counts as sure: it can be told, and its confidence reaches the threshold.
    pub fn is_age_sure(&self, face: &FaceAnalysis) -> bool {
        face.confidence() >= self.confident && !face.estimate.is_age_unknown()
    }

    /// Whether the gender is stated and counts as sure.
    pub fn is_gender_sure(&self, face: &FaceAnalysis) -> bool {
        self.reports_gender(face) && face.gender_probability() >= SURE_GENDER
    }

    /// Tips for a better photo, one sentence for each flaw; none for a sure guess or a good photo.
    pub fn tips(&self, face: &FaceAnalysis) -> Vec<String> {
        if self.is_sure(face) {
            return Vec::new();
        }
        face.flaws.iter().map(|flaw| self.language.message(&format!("tip-{}", flaw_name(*flaw)))).collect()
    }

    /// Whether the gender is stated without being sure.
    fn is_gender_in_doubt(&self, face: &FaceAnalysis) -> bool {
        self.reports_gender(face) && !self.is_gender_sure(face)
    }

    fn doubt(&self, face: &FaceAnalysis) -> Option<&'static str> {
        doubt(!self.is_age_sure(face), self.is_gender_in_doubt(face))
    }

    /// What the annotated picture shows, for people who do not see it.
    pub fn alternative_text(&self, analysis: &Analysis) -> String {
        let faces = analysis.faces.iter().enumerate();
        let face = |(index, face): (usize, &FaceAnalysis)| {
            let person = self.person(face);
            self.language
                .message_with("alternative-text-face", &[("number", (index + 1).into()), ("person", (&person).into())])
        };
        let faces = faces.map(face).collect::<Vec<_>>().join("; ");
        clipped(&self.language.message_with("alternative-text", &[("faces", (&faces).into())]), ALTERNATIVE_TEXT)
    }

    /// Combines the texts of one message's photos; `None` for those still being analysed.
    pub fn numbered_photos(&self, texts: &[Option<&str>]) -> String {
        if let [Some(text)] = texts {
            return (*text).to_owned();
        }
        let waiting = self.language.message("photo-waiting");
        let photo = |(index, text): (usize, &Option<&str>)| {
            let text = text.unwrap_or(&waiting);
            self.language.message_with("photo-number", &[("number", (index + 1).into()), ("text", text.into())])
        };
        texts.iter().enumerate().map(photo).collect::<Vec<_>>().join("\n\n")
    }

    /// One face in a few words: gender or age group, age and interval, or the interval alone where the age cannot be
    /// told.
    pub fn person(&self, face: &FaceAnalysis) -> String {
        let (low, high) = face.estimate.age_interval;
        let variables = [
            ("who", self.who(face).into()),
            ("age", face.estimate.age().into()),
            ("low", low.into()),
            ("high", high.into()),
        ];
        let message = if face.estimate.is_age_unknown() { "person-of-any-age" } else { "person" };
        self.language.message_with(message, &variables)
    }

    /// As [`Self::person`], and whether they are smiling.
    fn person_and_smile(&self, face: &FaceAnalysis) -> String {
        let person = self.person(face);
        if !self.reports_smile(face) {
            return person;
        }
        self.language.message_with("person-smiling", &[("who", self.who(face).into()), ("person", (&person).into())])
    }

    /// Whether the text says that a face is smiling.
    pub fn reports_smile(&self, face: &FaceAnalysis) -> bool {
        self.smile == SmilePolicy::Sure && face.estimate.reports_smile()
    }

    /// Whether the text states the gender of a face.
    pub fn reports_gender(&self, face: &FaceAnalysis) -> bool {
        let estimate = &face.estimate;
        match self.gender {
            GenderPolicy::Always => estimate.reports_gender(),
            GenderPolicy::Sure => estimate.shows_gender() && estimate.gender_probability() >= self.gender_sure,
            GenderPolicy::Never => false,
        }
    }

    /// The variant of the message "person" for a face.
    fn who(&self, face: &FaceAnalysis) -> &'static str {
        let estimate = &face.estimate;
        let reports_gender = self.reports_gender(face);
        let age = estimate.age().round();
        match (estimate.is_adult(), estimate.female_probability >= 0.5) {
            _ if age < TODDLER => "baby",
            _ if estimate.is_small_child() => "toddler",
            (false, _) if !reports_gender && age < TEENAGER => "child",
            (false, _) if !reports_gender => "young-person",
            (false, true) => "girl",
            (false, false) => "boy",
            _ if self.gender == GenderPolicy::Never => "person",
            _ if !reports_gender => "unclear",
            (true, true) => "woman",
            (true, false) => "man",
        }
    }

    fn single(&self, face: &FaceAnalysis) -> String {
        let person = self.person_and_smile(face);
        let Some(doubt) = self.doubt(face) else {
            return self.language.message_with("guess-sure", &[("person", (&person).into())]);
        };
        let what = if face.estimate.is_age_unknown() { "unknown-age" } else { doubt };
        let guess = self.language.message_with("guess-unsure", &[("what", what.into()), ("person", (&person).into())]);
        let tips = self.tips(face);
        if !tips.is_empty() {
            let tips = self.language.message_with("guess-tip", &[("tips", (&tips.join(" ")).into())]);
            format!("{guess} {tips}")
        } else if face.good_photo {
            format!("{guess} {}", self.language.message_with("good-photo", &[("what", doubt.into())]))
        } else {
            guess
        }
    }
}

/// What is in doubt, as the messages call it.
fn doubt(age: bool, gender: bool) -> Option<&'static str> {
    match (age, gender) {
        (false, false) => None,
        (true, false) => Some("age"),
        (false, true) => Some("gender"),
        (true, true) => Some("both"),
    }
}

/// Truncates the text to at most `max_characters`, with an ellipsis where something is left out.
pub fn clipped(text: &str, max_characters: usize) -> String {
    if text.chars().count() <= max_characters {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(max_characters.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// The sentence about a photo that is not upright.
fn rotated(rotation: Rotation) -> &'static str {
    match rotation {
        Rotation::Left => "rotated-left",
        Rotation::Right => "rotated-right",
        Rotation::UpsideDown => "rotated-upside-down",
    }
}

/// A flaw in the identifiers of its messages, `tip-…` and `help-…`.
fn flaw_name(flaw: Flaw) -> &'static str {
    match flaw {
        Flaw::TooSmall => "too-small",
        Flaw::CutOff => "cut-off",
        Flaw::Covered => "covered",
        Flaw::Turned => "turned",
        Flaw::Dark => "dark",
        Flaw::OneSided => "one-sided",
        Flaw::Bright => "bright",
        Flaw::Blurred => "blurred",
        Flaw::Noisy => "noisy",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::{Bounds, CropFrame, FaceCrop};
    use crate::model::estimator::Estimate;

    /// A face whose age probabilities are uniform over `age` ± `spread` years.
    pub(super) fn face(age: usize, female: f32, spread: usize, flaws: &[Flaw]) -> FaceAnalysis {
        let years = age.saturating_sub(spread)..=age + spread;
        let share = 1.0 / years.clone().count() as f32;
        let age_probabilities = std::array::from_fn(|year| if years.contains(&year) { share } else { 0.0 });
        let reach = 0.8 * spread as f32;
        let luma = image::GrayImage::new(10, 10);
        let age_interval = (age as f32 - reach, age as f32 + reach);
        FaceAnalysis {
            bounds: Bounds { x: 0.0, y: 0.0, w: 10.0, h: 10.0 },
            frame: CropFrame { center_x: 5.0, center_y: 5.0, side: 10.0, roll: 0.0 },
            estimate: Estimate {
                age_probabilities,
                female_probability: female,
                smile_probability: None,
                age_interval,
                usual_width: 20.0,
            },
            flaws: flaws.to_vec(),
            good_photo: flaws.is_empty(),
            crop: FaceCrop::cut(&luma, &CropFrame::whole(&luma)),
        }
    }

    pub(super) fn analysis(faces: Vec<FaceAnalysis>) -> Analysis {
        Analysis { faces, ..Analysis::empty(100, 100) }
    }

    #[test]
    fn a_sure_guess_is_a_single_sentence() {
        let text = ReplyStyle::plain(0.5).guess(&analysis(vec![face(31, 0.99, 5, &[])]), 2000);
        assert_eq!(text, "Looks like a woman of about 31 (likely 27 to 35).");
        assert!(ReplyStyle::plain(0.0).tips(&face(31, 0.99, 5, &[Flaw::Dark])).is_empty());
    }

    #[test]
    fn an_unsure_guess_says_so_and_has_a_tip_for_each_flaw() {
        let text = ReplyStyle::plain(0.9).guess(&analysis(vec![face(44, 0.4, 15, &[Flaw::Dark, Flaw::Blurred])]), 2000);
        assert!(
            text.starts_with("I'm not sure about age and gender, but my guess is a man of about 44 (likely "),
            "{text}"
        );
        assert!(
            text.contains("Tip: There is too little light on the face: ") && text.contains("The face is blurred: "),
            "{text}"
        );
        let without_flaw = ReplyStyle::plain(0.9).guess(&analysis(vec![face(44, 0.4, 15, &[])]), 2000);
        assert!(without_flaw.ends_with("another photo would hardly help."), "{without_flaw}");
    }

    #[test]
    fn who_somebody_is_follows_the_age_in_whole_years() {
        // All of the probability in the guessed year, except what moves the median within it.
        let at = |age: f32, policy| {
            let mut face = face(30, 0.01, 1, &[]);
            let (year, below) = (age.round(), age - age.round() + 0.5);
            let (share, rest) = if below < 0.5 { (0.5 / (1.0 - below), 0) } else { (0.5 / below, 100) };
            face.estimate.age_probabilities = [0.0; crate::model::network::AGES];
            face.estimate.age_probabilities[rest] = 1.0 - share;
            face.estimate.age_probabilities[year as usize] = share;
            assert!((face.age() - age).abs() < 0.01, "{} for {age}", face.age());
            ReplyStyle { gender: policy, ..ReplyStyle::plain(0.0) }.person(&face)
        };
        for (age, who) in [
            (1.4, "a baby"),
            (1.6, "a toddler of about 2"),
            (3.4, "a toddler of about 3"),
            (3.6, "a boy of about 4"),
            (17.4, "a boy of about 17"),
            (17.6, "a man of about 18"),
        ] {
            assert!(at(age, GenderPolicy::Always).starts_with(who), "{}", at(age, GenderPolicy::Always));
        }
        for (age, who) in
            [(12.4, "a child of about 12"), (12.6, "a young person of about 13"), (17.6, "a person of about 18")]
        {
            assert!(at(age, GenderPolicy::Never).starts_with(who), "{}", at(age, GenderPolicy::Never));
        }
    }

    #[test]
    fn a_range_that_says_more_than_the_guess_takes_its_place() {
        let text = |age, female, range| {
            let mut face = face(age, female, 5, &[]);
            face.estimate.age_interval = range;
            face.good_photo = false;
            ReplyStyle::plain(0.5).guess(&analysis(vec![face]), 2000)
        };
        assert_eq!(text(36, 0.01, (18.0, 76.0)), "I can't tell the age: it could be a man of any age from 18 to 76.");
        // Neither a girl nor a woman: it might be both.
        for (age, range) in [(10, (4.0, 64.0)), (36, (17.4, 76.0))] {
            assert!(text(age, 0.99, range).starts_with("I can't tell the age: it could be somebody of any age from "));
        }
        assert!(text(36, 0.01, (19.6, 55.4)).contains("a man of about 36 (likely 20 to 55)"));
    }

    #[test]
    fn children_of_uncertain_gender_are_not_called_girls_or_boys() {
        let text = |age, female| ReplyStyle::plain(0.0).guess(&analysis(vec![face(age, female, 1, &[])]), 2000);
        assert!(text(0, 0.99).contains("a baby (likely ") && text(1, 0.01).contains("a baby (likely "));
        assert!(text(3, 0.99).contains("a toddler of about 3"));
        assert!(text(9, 0.99).contains("a girl of about 9"));
        assert!(text(9, 0.01).contains("a boy of about 9"));
        assert!(text(9, 0.6).contains("a child of about 9") && text(15, 0.4).contains("a young person of about 15"));
        assert!(text(30, 0.61).contains("a woman of about 30") && text(30, 0.59).contains("someone around 30"));
        // A gender that is not stated does not lower the confidence.
        let text = |age, female| ReplyStyle::plain(0.5).guess(&analysis(vec![face(age, female, 1, &[])]), 2000);
        assert!(text(3, 0.55).starts_with("Looks like a toddler") && text(9, 0.6).starts_with("Looks like a child"));
        assert!(text(30, 0.7).starts_with("I'm not sure about the gender, but my guess is a woman"));
        let never = ReplyStyle { gender: GenderPolicy::Never, ..ReplyStyle::plain(0.5) };
        assert!(never.is_sure(&face(30, 0.7, 1, &[])));
    }

    #[test]
    fn a_gender_is_left_out_where_it_is_not_wanted_or_not_sure() {
        let text = |gender, age, female| {
            let style = ReplyStyle { gender, gender_sure: 0.9, ..ReplyStyle::plain(0.0) };
            style.person(&face(age, female, 1, &[]))
        };
        assert!(text(GenderPolicy::Never, 30, 0.99).starts_with("a person of about 30"));
        assert!(text(GenderPolicy::Never, 9, 0.99).starts_with("a child of about 9"));
        let unclear = text(GenderPolicy::Sure, 30, 0.8);
        assert!(
            unclear.starts_with("someone around 30") && unclear.ends_with("I can't tell whether it's a man or a woman")
        );
        assert!(text(GenderPolicy::Sure, 30, 0.95).starts_with("a woman of about 30"));
    }

    #[test]
    fn a_smile_is_mentioned_where_it_is_sure_and_wanted() {
        let style = ReplyStyle::plain(0.0);
        let smiling = |female, smile| {
            let mut face = face(31, female, 5, &[]);
            face.estimate.smile_probability = smile;
            face
        };
        let text = |style: &ReplyStyle, face| style.guess(&analysis(vec![face]), 2000);
        assert_eq!(
            text(&style, smiling(0.99, Some(0.97))),
            "Looks like a woman of about 31 (likely 27 to 35), smiling."
        );
        for smile in [None, Some(0.0), Some(0.7)] {
            assert_eq!(text(&style, smiling(0.99, smile)), "Looks like a woman of about 31 (likely 27 to 35).");
        }
        let never = ReplyStyle { smile: SmilePolicy::Never, ..style };
        assert_eq!(text(&never, smiling(0.99, Some(0.97))), text(&style, smiling(0.99, None)));
        let unclear = ReplyStyle { gender: GenderPolicy::Sure, gender_sure: 0.9, ..style };
        assert!(text(&unclear, smiling(0.6, Some(0.97))).ends_with("a man or a woman; they are smiling."));
        let two = analysis(vec![smiling(0.99, Some(0.97)), smiling(0.99, Some(0.2))]);
        assert!(
            style.guess(&two, 2000).ends_with(
                "1. a woman of about 31 (likely 27 to 35), smiling\n2. a woman of about 31 (likely 27 to 35)"
            )
        );
        // The game's players guess the age alone.
        assert!(!style.person(&smiling(0.99, Some(0.97))).contains("smiling"));
    }

    #[test]
    fn a_reply_to_an_incomplete_picture_says_so() {
        let faces = (0..20).map(|_| face(31, 0.99, 5, &[])).collect();
        for faces in [Vec::new(), vec![face(31, 0.99, 5, &[])], faces] {
            let cut = Analysis { cut_short: true, ..analysis(faces) };
            let text = ReplyStyle::plain(0.0).guess(&cut, 500);
            assert!(text.ends_with("the part that is there.") && text.chars().count() <= 500, "{text}");
        }
    }

    #[test]
    fn a_reply_to_a_rotated_photo_says_so() {
        let rotated = Analysis { rotation: Some(Rotation::Left), ..analysis(vec![face(31, 0.99, 5, &[])]) };
        let text = ReplyStyle::plain(0.0).guess(&rotated, 2000);
        assert!(text.contains("(likely 27 to 35). The photo is sideways; I turned it left"), "{text}");
    }

    #[test]
    fn photos_still_being_analysed_keep_their_place() {
        let text = ReplyStyle::plain(0.0).numbered_photos(&[Some("a"), None, Some("c")]);
        assert_eq!(text, "Photo 1: a\n\nPhoto 2: still looking …\n\nPhoto 3: c");
        assert_eq!(ReplyStyle::plain(0.0).numbered_photos(&[Some("a")]), "a");
    }
}
