//! Forgetting and moving everything of a person or chat.

use super::ClusterStore;
use super::failed;
use super::games::{StoredGame, game_number};
use super::settings::{StoredChat, chat_key, person_key};
use crate::bot::people::{ChatId, PersonId};
use crate::bot::store::{Store, StoreError};

impl Store for ClusterStore {
    fn forget_person(&self, person: PersonId) -> Result<(), StoreError> {
        let PersonId { id, .. } = person;
        let platform = person.platform.name();
        self.wait(async {
            self.state.erase(&person_key(person)).await?;
            self.state.erase(&format!("score.{platform}.*.{id}")).await?;
            self.erase_games(&format!("game.*.{platform}.*.{id}")).await?;
            for guessed in self.state.keys(&format!("guessed.*.{platform}.{id}")).await? {
                let number = game_number(&guessed);
                for game in self.state.keys(&format!("game.{number}.>")).await? {
                    let without = |stored: Option<StoredGame>| {
                        let Some(mut game) = stored else { return (None, ()) };
                        game.guesses.retain(|guess| guess.person != id);
                        (Some(game), ())
                    };
                    self.state.change(&game, without).await?;
                }
                self.state.erase(&guessed).await?;
            }
            self.recent.erase(&format!("album.{platform}.*.{id}.*")).await?;
            self.erase_jobs(&format!("{platform}.*.{id}.*")).await
        })
    }

    fn forget_chat(&self, chat: ChatId) -> Result<(), StoreError> {
        let ChatId { id, .. } = chat;
        let platform = chat.platform.name();
        self.wait(async {
            self.state.erase(&chat_key(chat)).await?;
            self.state.erase(&format!("score.{platform}.{id}.*")).await?;
            self.erase_games(&format!("game.*.{platform}.{id}.*")).await?;
            self.state.erase(&format!("notice.{platform}.{id}")).await?;
            self.recent.erase(&format!("album.{platform}.{id}.*.*")).await?;
            self.recent.erase(&format!("reply.{platform}.{id}.*")).await?;
            self.erase_jobs(&format!("{platform}.{id}.*.*")).await
        })
    }

    /// Moves settings and scores. Jobs that wait keep the old id, which platforms accept for a while.
    fn move_chat(&self, from: ChatId, to: ChatId) -> Result<(), StoreError> {
        self.wait(async {
            if let Some(settings) = self.state.get::<StoredChat>(&chat_key(from)).await? {
                self.state.put(&chat_key(to), &settings).await?;
                self.state.erase(&chat_key(from)).await?;
            }
            let platform = from.platform.name();
            for pattern in [format!("score.{platform}.{}.*", from.id), format!("game.*.{platform}.{}.*", from.id)] {
                for key in self.state.keys(&pattern).await? {
                    let moved =
                        key.replacen(&format!(".{platform}.{}.", from.id), &format!(".{platform}.{}.", to.id), 1);
                    if let Some(value) = self.state.get::<serde_json::Value>(&key).await? {
                        self.state.put(&moved, &value).await?;
                        self.state.erase(&key).await?;
                    }
                }
            }
            Ok(())
        })
    }
}

impl ClusterStore {
    /// Deletes the jobs whose subjects match a pattern.
    async fn erase_jobs(&self, pattern: &str) -> Result<(), StoreError> {
        let name = &self.options.name;
        for (stream, kind) in [(&self.queue, "jobs"), (&self.parked, "parked")] {
            stream.purge().filter(format!("{name}.{kind}.{pattern}")).await.map_err(failed("written"))?;
        }
        Ok(())
    }
}
