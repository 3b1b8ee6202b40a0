//! What the buttons under a reply do that need its photo once more: how the network sees the face, the
//! suggested crop, a guess without a face.

use bytes::Bytes;

use super::actions::{Action, Square, WHOLE};
use super::people::PersonId;
use super::{Answer, Bot, Card, CardWhen, PhotoSource, Problem, ReplyOptions, ReplyStyle, Tone, card, tone, words};
use crate::face::CropFrame;
use crate::inference::{Analysis, FaceAnalysis, FlowId, Framing, InferenceError};

/// A face whose suggested square has less than this share of the photo's shorter side is worth a cut.
const WORTH_A_CUT: f32 = 0.75;
/// The suggested square's side, in sides of the face's frame: the face with some room around it.
const ROOM: f32 = 1.8;

impl Bot {
    /// Acts on a button that needs the photo it was about.
    pub async fn look_again(
        &self,
        asker: PersonId,
        action: Action,
        source: PhotoSource,
        style: &ReplyStyle,
        options: ReplyOptions,
    ) -> Answer {
        let flow = FlowId::of(&asker);
        let _turn = self.turns.take(flow).await;
        let answer = match action {
            Action::See => self.see(flow, source, style).await,
            Action::Crop(square) => self.cut(flow, source, square, style, options).await,
            Action::Anyway => self.anyway(flow, source, style, options).await,
            _ => Err(Problem::Gone),
        };
        answer.unwrap_or_else(|problem| problem.message(style.language).into())
    }

    async fn see(&self, flow: FlowId, source: PhotoSource, style: &ReplyStyle) -> Result<Answer, Problem> {
        let (_, analysis) = self.look(flow, source, Framing::Find).await?;
        let [face] = analysis.faces.as_slice() else { return Ok(style.language.say("no-face").into()) };
        let age = face.estimate.age();
        let alternative_text = style.language.say_with("alternative-text-seen", &[("age", age.into())]);
        let seen = face.clone();
        let card = self.drawn(alternative_text, move |_| card::draw_seen(&seen)).await;
        Ok(Answer { text: style.seen(face), cards: card.into_iter().collect(), ..Answer::default() })
    }

    async fn cut(
        &self,
        flow: FlowId,
        source: PhotoSource,
        square: Square,
        style: &ReplyStyle,
        options: ReplyOptions,
    ) -> Result<Answer, Problem> {
        let photo = self.fetch(source).await?;
        let limits = self.options.decode_limits.clone();
        let cut = tokio::task::spawn_blocking(move || card::cut(&photo, &limits, square)).await;
        let cut = match cut {
            Ok(Ok(cut)) => Bytes::from(cut),
            Ok(Err(card::CardError::Photo(error))) => return Err(InferenceError::Photo(error).into()),
            Ok(Err(error)) => return Err(InferenceError::Failed(error.to_string()).into()),
            Err(panic) => return Err(InferenceError::Failed(panic.to_string()).into()),
        };
        let reply = self.guess(flow, PhotoSource::Bytes(cut.clone()), style, options).await;
        let text = style.language.say_with("guess-crop", &[("text", (&reply.text).into())]);
        let tone = tone([&reply.outcome], style);
        let alternative_text = style.language.say_with("alternative-text-crop", &[("text", (&reply.text).into())]);
        // The numbered boxes if there are any, else the square itself.
        let card = reply.card.unwrap_or(Card { jpeg: cut, alternative_text });
        Ok(Answer { text: words::clipped(&text, options.max_characters), cards: vec![card], buttons: vec![], tone })
    }

    async fn anyway(
        &self,
        flow: FlowId,
        source: PhotoSource,
        style: &ReplyStyle,
        options: ReplyOptions,
    ) -> Result<Answer, Problem> {
        let (photo, analysis) = self.look(flow, source, Framing::Aligned).await?;
        let Some(face) = analysis.faces.first() else { return Ok(style.language.say("no-face").into()) };
        let text = style.guess_anyway(face);
        let card = if options.card == CardWhen::Never {
            None
        } else {
            let alternative_text = style.alternative_text(&analysis);
            self.drawn(alternative_text, move |limits| card::draw(&photo, &limits, &analysis)).await
        };
        Ok(Answer { text, cards: card.into_iter().collect(), buttons: vec![], tone: Tone::Unsure })
    }
}

/// The square to cut around a face, where that is a real cut.
pub(super) fn suggested(analysis: &Analysis, face: &FaceAnalysis) -> Option<Square> {
    let (width, height) = (analysis.width as f32, analysis.height as f32);
    let CropFrame { center_x, center_y, side, .. } = face.frame;
    let side = (side * ROOM).min(width).min(height);
    // Another frame than the first cannot be named by a button.
    if analysis.frame > 0 || side <= 0.0 || side > WORTH_A_CUT * width.min(height) {
        return None;
    }
    let left = (center_x - side / 2.0).clamp(0.0, width - side);
    let top = (center_y - side / 2.0).clamp(0.0, height - side);
    let part = |value: f32, of: f32| (WHOLE * value / of).round() as u16;
    Some(Square { left: part(left, width), top: part(top, height), side: part(side, width).max(1) })
}
