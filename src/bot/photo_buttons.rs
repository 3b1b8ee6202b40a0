//! Buttons that need the reply's photo again: the explanation, the suggested crop, a guess without
//! a face.

use bytes::Bytes;

use super::actions::{Action, Button, SQUARE_SCALE, Square};
use super::{Answer, Bot, Card, CardPolicy, Certainty, PhotoSource, Problem, ReplyOptions, ReplyStyle, card, wording};
use crate::face::CropFrame;
use crate::inference::{FlowId, InferenceError};
use crate::{Analysis, FaceAnalysis, Framing};

/// A crop is suggested when its side is at most this fraction of the photo's shorter side.
const MAX_CROP: f32 = 0.75;
/// The side of the suggested crop, in sides of the face's frame: the face with some margin.
const CROP_SIDE: f32 = 1.8;
/// By which factor a crop must raise the confidence to be offered where the guess stays unsure: that of a range
/// that is narrower by about a fifth.
const SURER: f32 = 1.1;

impl Bot {
    /// Handles a button that needs the photo, given as `source`; `flow` identifies the asker in the queue.
    pub async fn handle_photo_button(
        &self,
        flow: FlowId,
        action: Action,
        source: PhotoSource,
        style: &ReplyStyle,
        options: ReplyOptions,
    ) -> Answer {
        let _permit = self.permits.acquire(flow).await;
        let answer = match action {
            Action::Explain { face } => {
                self.explain(flow, source, usize::from(face), style, true).await.map(|explained| explained.answer)
            }
            Action::Crop(square) => self.guess_crop(flow, source, square, style, options).await,
            Action::GuessAnyway => self.guess_anyway(flow, source, style, options).await,
            _ => Err(Problem::PhotoGone),
        };
        answer.unwrap_or_else(|problem| problem.message(style.language).into())
    }

    async fn guess_crop(
        &self,
        flow: FlowId,
        source: PhotoSource,
        square: Square,
        style: &ReplyStyle,
        options: ReplyOptions,
    ) -> Result<Answer, Problem> {
        let photo = source.fetch(&self.downloader).await?;
        let crop = self.cut(photo, square).await?;
        let reply = self.guess(flow, PhotoSource::Bytes(crop.clone()), style, options).await;
        let text = style.language.message_with("guess-crop", &[("text", (&reply.text).into())]);
        let tone = Certainty::from_outcomes([&reply.outcome], style);
        let alternative_text = style.language.message_with("alternative-text-crop", &[("text", (&reply.text).into())]);
        // The numbered boxes if there are any, else the crop itself.
        let card = reply.card.unwrap_or(Card { jpeg: crop, alternative_text });
        Ok(Answer { text: wording::clipped(&text, options.max_characters), cards: vec![card], buttons: vec![], tone })
    }

    /// The square to offer for the only face of a photo: if the guess is unsure, and surer on that crop,
    /// which is tried before it is offered.
    pub(super) async fn helpful_crop(
        &self,
        flow: FlowId,
        photo: &Bytes,
        analysis: &Analysis,
        style: &ReplyStyle,
    ) -> Option<Square> {
        let [face] = analysis.faces.as_slice() else { return None };
        if style.is_sure(face) {
            return None;
        }
        let square = suggested_crop(analysis, face)?;
        let crop = self.cut(photo.clone(), square).await.ok()?;
        let cropped = self.pool.analyse(flow, crop, Framing::Find).await.ok()?;
        let [closer] = cropped.faces.as_slice() else { return None };
        let is_surer = style.is_sure(closer) || closer.confidence() >= SURER * face.confidence();
        is_surer.then_some(square)
    }

    /// Cuts a square out of a photo at its full resolution; a JPEG.
    async fn cut(&self, photo: Bytes, square: Square) -> Result<Bytes, InferenceError> {
        let limits = self.options.decode_limits.clone();
        match tokio::task::spawn_blocking(move || card::crop(&photo, &limits, square)).await {
            Ok(Ok(crop)) => Ok(Bytes::from(crop)),
            Ok(Err(card::CardError::Photo(error))) => Err(InferenceError::Photo(error)),
            Ok(Err(error)) => Err(InferenceError::Failed(error.to_string())),
            Err(panic) => Err(InferenceError::Failed(panic.to_string())),
        }
    }

    async fn guess_anyway(
        &self,
        flow: FlowId,
        source: PhotoSource,
        style: &ReplyStyle,
        options: ReplyOptions,
    ) -> Result<Answer, Problem> {
        let (photo, analysis) = self.analyse(options.platform, flow, source, Framing::Aligned).await?;
        let Some(face) = analysis.faces.first() else { return Ok(style.language.message("no-face").into()) };
        let text = style.guess_anyway(face);
        let card = if options.card == CardPolicy::Never {
            None
        } else {
            let alternative_text = style.alternative_text(&analysis);
            self.draw_card(alternative_text, move |limits| card::draw(&photo, &limits, &analysis)).await
        };
        Ok(Answer { text, cards: card.into_iter().collect(), buttons: vec![], tone: Certainty::Unsure })
    }
}

/// The buttons that need the photo, under the reply to a single one.
pub(super) fn photo_buttons(analysis: &Analysis, crop: Option<Square>, style: &ReplyStyle) -> Vec<Button> {
    let button = |action, id| Button { action, label: style.language.message(id) };
    match analysis.faces.as_slice() {
        [] => vec![button(Action::GuessAnyway, "button-anyway")],
        [_] => {
            let crop = crop.map(|square| button(Action::Crop(square), "button-crop"));
            std::iter::once(button(Action::Explain { face: 0 }, "button-see")).chain(crop).collect()
        }
        _ => Vec::new(),
    }
}

/// For each face of several, the button that explains it.
pub(super) fn face_buttons(analysis: &Analysis, style: &ReplyStyle) -> Vec<Button> {
    let faces = if analysis.faces.len() > 1 { analysis.faces.len() } else { 0 };
    let label = style.language.message("button-see");
    let faces = (0..faces).map_while(|face| u8::try_from(face).ok());
    faces.map(|face| Button { action: Action::Explain { face }, label: label.clone() }).collect()
}

/// The crop to suggest around a face; `None` where it would hardly be smaller than the photo.
fn suggested_crop(analysis: &Analysis, face: &FaceAnalysis) -> Option<Square> {
    let (width, height) = (analysis.width as f32, analysis.height as f32);
    let CropFrame { center_x, center_y, side, .. } = face.frame;
    let side = (side * CROP_SIDE).min(width).min(height);
    // A button's square always refers to the first frame.
    if analysis.frame > 0 || side <= 0.0 || side > MAX_CROP * width.min(height) {
        return None;
    }
    let left = (center_x - side / 2.0).clamp(0.0, width - side);
    let top = (center_y - side / 2.0).clamp(0.0, height - side);
    let part = |value: f32, of: f32| (SQUARE_SCALE * value / of).round() as u16;
    Some(Square { left: part(left, width), top: part(top, height), side: part(side, width).max(1) })
}
