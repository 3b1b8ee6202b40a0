//! The store's promises, on files and in memory.

use super::*;
use crate::bot::jobs::Jobs;

const CHAT: ChatId = ChatId { platform: Platform::Telegram, id: -100 };
const ANN: PersonId = PersonId { platform: Platform::Telegram, id: 1 };

fn player(id: i64) -> Player {
    Player { person: PersonId { id, ..ANN }, name: format!("P{id}") }
}

#[test]
fn a_restart_forgets_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("kept.sqlite3");
    let chat = ChatSettings { auto: true, language: Some(Language::Czech), gender: GenderTelling::Sure, private: true };
    let person = PersonSettings { opted_out: true, language: None, gender: GenderTelling::Never };
    {
        let store = Sqlite::open(&path).unwrap();
        assert_eq!(store.chat(CHAT).unwrap(), ChatSettings::default());
        store.change_chat(CHAT, &mut |now| *now = chat).unwrap();
        store.change_person(ANN, &mut |now| *now = person).unwrap();
    }
    let store = Sqlite::open(&path).unwrap();
    assert_eq!((store.chat(CHAT).unwrap(), store.person(ANN).unwrap()), (chat, person));
    let elsewhere = ChatId { platform: Platform::Discord, ..CHAT };
    assert_eq!(store.chat(elsewhere).unwrap(), ChatSettings::default());
    store.move_chat(CHAT, ChatId { id: -200, ..CHAT }).unwrap();
    assert_eq!(store.chat(CHAT).unwrap(), ChatSettings::default());
    assert_eq!(store.chat(ChatId { id: -200, ..CHAT }).unwrap(), chat);
}

#[test]
fn the_migrations_are_sound_and_another_file_is_refused() {
    Migrations::from_slice(MIGRATIONS).validate().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notes.txt");
    std::fs::write(&path, "these are notes and no database, long enough to be read as a header. ".repeat(20)).unwrap();
    let error = Sqlite::open(&path).err().unwrap().to_string();
    assert!(error.contains("cannot be opened"), "{error}");
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("these are notes"));
}

#[test]
fn a_game_takes_each_players_first_guess_and_ends_once() {
    let store = Sqlite::in_memory().unwrap();
    let game = Game { chat: CHAT, host: ANN, guess: "a man".into(), age: 31.4, truth: Some(33), guesses: vec![] };
    let number = store.open_game(&game).unwrap();
    assert_eq!(store.guess(number, &player(2), 30).unwrap(), Guessed::Counts { players: 1 });
    assert_eq!(store.guess(number, &player(2), 40).unwrap(), Guessed::Before(30));
    assert_eq!(store.guess(number, &player(3), 35).unwrap(), Guessed::Counts { players: 2 });
    let kept = store.game(number).unwrap().unwrap();
    assert_eq!(kept, Game { guesses: vec![(player(2), 30), (player(3), 35)], ..game.clone() });
    assert!(store.end_game(number, &|_| vec![player(3)]).unwrap().is_some());
    assert!(store.end_game(number, &|_| vec![player(3)]).unwrap().is_none());
    assert_eq!(store.guess(number, &player(4), 35).unwrap(), Guessed::Over);
    let second = store.open_game(&game).unwrap();
    assert_ne!(second, number);
    store.end_game(second, &|_| vec![player(3), player(2)]).unwrap();
    assert_eq!(store.scores(CHAT).unwrap(), [("P3".to_owned(), 2), ("P2".to_owned(), 1)]);
}

#[test]
fn forgetting_deletes_all_that_is_kept() {
    let store = Sqlite::in_memory().unwrap();
    let game = Game { chat: CHAT, host: ANN, guess: "a man".into(), age: 31.4, truth: None, guesses: vec![] };
    let other = Game { host: player(5).person, ..game.clone() };
    let (own, others) = (store.open_game(&game).unwrap(), store.open_game(&other).unwrap());
    store.guess(others, &player(1), 30).unwrap();
    store.end_game(store.open_game(&other).unwrap(), &|_| vec![player(1), player(2)]).unwrap();
    store.change_person(ANN, &mut |now| now.opted_out = true).unwrap();
    store.forget_person(ANN).unwrap();
    assert_eq!(store.person(ANN).unwrap(), PersonSettings::default());
    assert_eq!(store.game(own).unwrap(), None);
    assert_eq!(store.game(others).unwrap().unwrap().guesses, []);
    assert_eq!(store.scores(CHAT).unwrap(), [("P2".to_owned(), 1)]);
    store.change_chat(CHAT, &mut |now| now.auto = true).unwrap();
    store.forget_chat(CHAT).unwrap();
    assert_eq!(store.chat(CHAT).unwrap(), ChatSettings::default());
    assert_eq!((store.scores(CHAT).unwrap(), store.game(others).unwrap()), (vec![], None));
}

#[test]
fn old_games_of_a_chat_make_room_for_new_ones() {
    let store = Sqlite::in_memory().unwrap();
    let game = Game { chat: CHAT, host: ANN, guess: "a man".into(), age: 31.4, truth: None, guesses: vec![] };
    let first = store.open_game(&game).unwrap();
    for _ in 0..OPEN_GAMES {
        store.open_game(&game).unwrap();
    }
    assert_eq!(store.game(first).unwrap(), None);
}

#[test]
fn what_a_connection_needs_is_there_after_a_restart_until_it_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let open = || Sqlite::open(&path).unwrap();
    open().keep_connection(Platform::Discord, 1, Some("first")).unwrap();
    open().keep_connection(Platform::Discord, 1, Some("second")).unwrap();
    assert_eq!(open().kept_connection(Platform::Discord, 1).unwrap().as_deref(), Some("second"));
    assert_eq!(open().kept_connection(Platform::Discord, 0).unwrap(), None);
    open().keep_connection(Platform::Discord, 1, None).unwrap();
    assert_eq!(open().kept_connection(Platform::Discord, 1).unwrap(), None);
}
