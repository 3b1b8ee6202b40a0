//! Tests of what concerns the file. `tests/suite/stores.rs` tests what holds for every store.

use super::*;
use crate::bot::game::{Game, GameStore, Player};
use crate::bot::jobs::{Job, Jobs, Receipt, UpdateId};
use crate::bot::languages::Language;
use crate::bot::people::Platform;
use crate::bot::settings::{ChatSettings, GenderPolicy, PersonSettings, SettingsStore, SmilePolicy};

const CHAT: ChatId = ChatId { platform: Platform::Telegram, id: -100 };
const ANN: PersonId = PersonId { platform: Platform::Telegram, id: 1 };

#[test]
fn settings_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite3");
    let chat = ChatSettings {
        auto: true,
        language: Some(Language::Czech),
        gender: GenderPolicy::Sure,
        smile: SmilePolicy::Never,
        private: true,
    };
    let person = PersonSettings { opted_out: true, language: None, gender: GenderPolicy::Never };
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
fn chats_of_an_earlier_version_have_smiles_mentioned() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite3");
    let mut earlier = Connection::open(&path).unwrap();
    Migrations::from_slice(MIGRATIONS).to_version(&mut earlier, 3).unwrap();
    earlier.execute_batch("INSERT INTO chat VALUES ('telegram', -100, 1, NULL, 'never', 0)").unwrap();
    drop(earlier);
    let chat = Sqlite::open(&path).unwrap().chat(CHAT).unwrap();
    assert_eq!((chat.auto, chat.gender, chat.smile), (true, GenderPolicy::Never, SmilePolicy::Sure));
}

#[test]
fn a_database_of_every_earlier_version_keeps_its_choices_and_scores() {
    for version in 1..=MIGRATIONS.len() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store.sqlite3");
        let mut old = Connection::open(&path).unwrap();
        Migrations::from_slice(MIGRATIONS).to_version(&mut old, version).unwrap();
        old.execute_batch(
            "INSERT INTO chat (platform, id, auto, language, gender, private) VALUES ('telegram', -7, 1, 'de', 'never', 1);
             INSERT INTO person (platform, id, opted_out, language, gender) VALUES ('discord', 5, 1, NULL, 'sure');
             INSERT INTO score (platform, chat, person, name, points) VALUES ('telegram', -7, 9, 'Zoe', 12);",
        )
        .unwrap();
        drop(old);
        let before = inspection::inspect(&path).unwrap();
        let is_latest = version == MIGRATIONS.len();
        assert_eq!(before, if is_latest { inspection::StoreState::Present } else { inspection::StoreState::Older });
        let copy = dir.path().join("copy.sqlite3");
        backup::copy(&path, &copy).unwrap();
        assert!(backup::copy(&path, &copy).is_err(), "a backup replaces no file");
        // The copy is as good as the file, and opening one leaves the other as it was.
        for path in [&copy, &path] {
            let store = Sqlite::open(path).unwrap();
            let chat = store.chat(ChatId { platform: Platform::Telegram, id: -7 }).unwrap();
            let person = store.person(PersonId { platform: Platform::Discord, id: 5 }).unwrap();
            assert!(chat.auto && chat.private && chat.gender == GenderPolicy::Never, "version {version}: {chat:?}");
            assert_eq!(chat.language, Some(Language::German));
            assert!(person.opted_out && person.gender == GenderPolicy::Sure, "version {version}: {person:?}");
            let scores = store.connection().query_row("SELECT points FROM score", [], |row| row.get::<_, u32>(0));
            assert_eq!(scores.unwrap(), 12);
            drop(store);
            assert_eq!(inspection::inspect(path).unwrap(), inspection::StoreState::Present);
        }
    }
}

#[test]
fn the_migrations_are_valid_and_another_file_is_refused() {
    Migrations::from_slice(MIGRATIONS).validate().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notes.txt");
    std::fs::write(&path, "these are notes and no database, long enough to be read as a header. ".repeat(20)).unwrap();
    let error = Sqlite::open(&path).err().unwrap().to_string();
    assert!(error.contains("cannot be opened"), "{error}");
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("these are notes"));
}

#[test]
fn a_store_that_cannot_be_used_says_what_to_do_and_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let foreign = Connection::open(path("other.db")).unwrap();
    foreign.execute_batch("CREATE TABLE notes (text TEXT)").unwrap();
    let newer = Connection::open(path("newer.db")).unwrap();
    newer.execute_batch("CREATE TABLE chat (id INTEGER); PRAGMA user_version = 99").unwrap();
    let emptied = Connection::open(path("emptied.db")).unwrap();
    emptied.execute_batch("PRAGMA user_version = 3").unwrap();
    drop((foreign, newer, emptied));
    std::fs::write(path("damaged.db"), [7; 5000]).unwrap();
    std::fs::create_dir(path("folder")).unwrap();
    for (name, words) in [
        ("other.db", "another file"),
        ("newer.db", "newer version"),
        ("emptied.db", "another file"),
        ("damaged.db", "restore a backup"),
        ("folder", "a folder that can be written to"),
        ("missing/store.db", "a folder that can be written to"),
    ] {
        let error = Sqlite::open(&path(name)).err().unwrap();
        assert!(advice(&error).contains(words), "{name}: {} for {error}", advice(&error));
    }
    let foreign = Connection::open(path("other.db")).unwrap();
    let tables: u32 = foreign.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
    assert_eq!(tables, 1);
}

fn job(message: i64) -> Job {
    Job::new(CHAT, message, ANN, format!("{{\"file\":\"file-{message}\"}}"))
}

#[test]
fn a_job_survives_restarts_until_it_is_finished() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite3");
    let update = |update| Some(UpdateId { bot: 5, update });
    {
        let store = Sqlite::open(&path).unwrap();
        assert_eq!(store.receive(update(1), Some(&job(1))).unwrap(), Receipt::Stored);
        assert_eq!(store.receive(update(2), Some(&job(2))).unwrap(), Receipt::Stored);
        assert_eq!(store.receive(update(2), Some(&job(3))).unwrap(), Receipt::Duplicate, "an update is received once");
        store.finish(CHAT, 1).unwrap();
    }
    let store = Sqlite::open(&path).unwrap();
    assert_eq!(store.receive(update(1), Some(&job(1))).unwrap(), Receipt::Duplicate, "answered before the restart");
    assert_eq!(store.resume(Platform::Discord).unwrap(), []);
    assert_eq!(store.resume(Platform::Telegram).unwrap(), [Job { tries: 2, ..job(2) }]);
    assert!(!Job { tries: 3, ..job(2) }.is_expired() && Job { tries: 4, ..job(2) }.is_expired());
    assert!(Job { received: job(2).received - 901, ..job(2) }.is_expired());
    store.move_chat(CHAT, ChatId { id: -200, ..CHAT }).unwrap();
    assert_eq!(store.resume(Platform::Telegram).unwrap()[0].chat.id, -200);
    store.forget_person(ANN).unwrap();
    assert_eq!(store.resume(Platform::Telegram).unwrap(), []);
}

#[test]
fn an_admin_notice_can_be_claimed_once_a_day() {
    let store = Sqlite::in_memory().unwrap();
    assert!(store.claim_admin_notice(CHAT).unwrap() && !store.claim_admin_notice(CHAT).unwrap());
    assert!(store.claim_admin_notice(ChatId { id: -7, ..CHAT }).unwrap());
    store.write(|db| db.execute("UPDATE admin_notice SET told = told - 86400", [])).unwrap();
    assert!(store.claim_admin_notice(CHAT).unwrap() && !store.claim_admin_notice(CHAT).unwrap());
}

#[test]
fn what_is_forgotten_is_in_no_file_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&dir.path().join("store.sqlite3")).unwrap();
    let name = |id: i64| format!("Somebody called {id:05}");
    let person = |id: i64| PersonId { id, ..ANN };
    let player = |id: i64| Player { person: person(id), name: name(id) };
    let on_disk = |wanted: &str| {
        let files = std::fs::read_dir(dir.path()).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
        files.into_iter().any(|bytes| memchr::memmem::find(&bytes, wanted.as_bytes()).is_some())
    };
    let game = Game { chat: CHAT, host: ANN, guess: "a man".into(), age: 31.4, truth: None, guesses: vec![] };
    // Enough to fill many pages, so that rows move between them.
    for id in 0..2000 {
        let number = store.open_game(&Game { chat: ChatId { id: -id, ..CHAT }, ..game.clone() }).unwrap();
        store.guess(number, &player(id), 30).unwrap();
        store.guess(number, &player(id + 10_000), 30).unwrap();
        if id % 2 == 0 {
            store.end_game(number, &|game| game.guesses.iter().map(|(player, _)| player.clone()).collect()).unwrap();
        }
    }
    assert!(on_disk(&name(42)) && on_disk(&name(10_043)));
    for id in (0..2000).step_by(3) {
        store.forget_person(person(id)).unwrap();
        store.forget_person(person(id + 10_000)).unwrap();
    }
    let left = (0..2000).filter(|id| on_disk(&name(*id)) || on_disk(&name(id + 10_000))).collect::<Vec<_>>();
    assert_eq!(left, (0..2000).filter(|id| id % 3 != 0).collect::<Vec<_>>());
    for id in 0..2000 {
        store.forget_chat(ChatId { id: -id, ..CHAT }).unwrap();
    }
    assert!(!on_disk("Somebody called"));
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.sqlite3");
    Sqlite::open(&path).unwrap().change_chat(CHAT, &mut |now| now.auto = true).unwrap();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{mode:o}");
    }
}

#[test]
fn a_connections_state_survives_restarts_until_it_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let open = || Sqlite::open(&path).unwrap();
    open().save_connection(Platform::Discord, 1, Some("first")).unwrap();
    open().save_connection(Platform::Discord, 1, Some("second")).unwrap();
    assert_eq!(open().load_connection(Platform::Discord, 1).unwrap().as_deref(), Some("second"));
    assert_eq!(open().load_connection(Platform::Discord, 0).unwrap(), None);
    open().save_connection(Platform::Discord, 1, None).unwrap();
    assert_eq!(open().load_connection(Platform::Discord, 1).unwrap(), None);
}
