//! Creation, migration, refusal; read-only and full file systems.

use super::*;

const LATER: &[Migration] = &[
    MIGRATIONS[0],
    Migration {
        version: 2,
        sql: "ALTER TABLE design ADD COLUMN note TEXT",
    },
    Migration {
        version: 3,
        sql: "CREATE TABLE extra (row INTEGER PRIMARY KEY) STRICT",
    },
];

fn later(options: Options) -> Options {
    Options {
        migrations: LATER,
        ..options
    }
}

async fn names(store: &Store) -> Vec<String> {
    let list = store
        .list_designs(&ListDesigns::default())
        .await
        .expect("a list");
    list.items.into_iter().map(|one| one.name).collect()
}

/// Handlers of the server run on any thread.
#[test]
fn calls_can_move_between_threads() {
    fn moves<T: Send>(_: T) {}
    let options = options_in(Path::new("nowhere"));
    moves(async {
        let store = Store::open(options.clone()).await?;
        let id = store.save_design(design("shop", json!(1))).await?.id;
        store.list_designs(&ListDesigns::default()).await?;
        store.find_design("shop", None).await?;
        store.design_secrets(id, "1").await?;
        store.design_versions(id).await?;
        store.delete_design(id).await?;
        store.list_operations(None).await?;
        store.find_operation("abcd").await?;
        store.backup(Path::new("copy"), false).await?;
        check(&options).await;
        recover(&options, &RecoverFrom::Salvage).await?;
        store.close().await
    });
}

#[test]
fn migrations_are_numbered_in_order() {
    let numbers: Vec<_> = MIGRATIONS.iter().map(|m| m.version).collect();
    assert_eq!(numbers, (1..).take(numbers.len()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_refused_and_left_alone() {
    let place = Place::new();
    let store = Store::open(later(place.options())).await.expect("opens");
    store
        .save_design(design("shop", json!(1)))
        .await
        .expect("saved");
    // A process that is killed leaves its log behind: copy the files while they are in use.
    let copy = Place::new();
    fs::create_dir(copy.home()).expect("a folder");
    for (name, bytes) in place.bytes() {
        fs::write(copy.home().join(name), bytes).expect("written");
    }
    let before = copy.bytes();
    assert!(before["weft.db-wal"].len() > 4096);
    for error in [
        Store::open(copy.options()).await.expect_err("newer"),
        Store::open_read_only(copy.options())
            .await
            .expect_err("newer"),
    ] {
        assert!(
            matches!(
                error,
                Error::Newer {
                    found: 3,
                    known: 1,
                    ..
                }
            ),
            "{error}"
        );
    }
    let after = copy.bytes();
    for name in ["weft.db", "weft.db-wal"] {
        assert!(after[name] == before[name], "{name} changed");
    }
    let checks = check(&copy.options()).await;
    assert_eq!(checks.last().expect("a check").fix, Some(Fix::Upgrade));
}

#[tokio::test]
async fn an_older_store_is_backed_up_then_migrated() {
    let place = Place::new();
    let store = place.open().await;
    store
        .save_design(design("shop", json!(1)))
        .await
        .expect("saved");
    store.close().await.expect("closed");
    let error = Store::open_read_only(later(place.options()))
        .await
        .expect_err("older");
    assert!(
        matches!(
            error,
            Error::Older {
                found: 1,
                known: 3,
                ..
            }
        ),
        "{error}"
    );

    let store = Store::open(later(place.options())).await.expect("migrates");
    assert_eq!(names(&store).await, ["shop"]);
    store
        .save_design(design("cart", json!(1)))
        .await
        .expect("saved");
    store.close().await.expect("closed");
    let backup = "weft.db.backup-1-20260101T000000Z";
    assert_eq!(place.names(), ["weft.db", backup, "weft.db.lock"]);
    let error = Store::open(place.options()).await.expect_err("newer now");
    assert!(
        matches!(
            error,
            Error::Newer {
                found: 3,
                known: 1,
                ..
            }
        ),
        "{error}"
    );

    let from = RecoverFrom::Backup(place.home().join(backup));
    let recovered = recover(&place.options(), &from).await.expect("restored");
    assert_eq!(recovered.tables[0].recovered, 1);
    assert_eq!(names(&place.open().await).await, ["shop"]);
}

#[test]
fn of_many_openers_one_migrates() {
    let place = Place::new();
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
    };
    runtime().block_on(async {
        let store = place.open().await;
        store
            .save_design(design("shop", json!(1)))
            .await
            .expect("saved");
        store.close().await.expect("closed");
    });
    let threads: Vec<_> = (0..6)
        .map(|_| {
            let options = later(options_in(&place.home()));
            std::thread::spawn(move || {
                runtime().block_on(async {
                    let store = Store::open(options).await.expect("opens");
                    assert_eq!(names(&store).await, ["shop"]);
                });
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic");
    }
    let backups = place
        .names()
        .iter()
        .filter(|name| name.contains("backup"))
        .count();
    assert_eq!(backups, 1);
}

#[tokio::test]
async fn a_failed_migration_changes_nothing() {
    const BROKEN: &[Migration] = &[
        MIGRATIONS[0],
        Migration {
            version: 2,
            sql: "DROP TABLE operation; CREATE TABLE design (row INTEGER)",
        },
    ];
    let place = Place::new();
    place.open().await.close().await.expect("closed");
    let before = fs::read(place.path()).expect("the store");
    let broken = Options {
        migrations: BROKEN,
        ..place.options()
    };
    let error = Store::open(broken).await.expect_err("fails");
    assert!(matches!(error, Error::Database { .. }), "{error}");
    let store = place.open().await;
    assert!(
        store
            .list_operations(None)
            .await
            .expect("a list")
            .is_empty()
    );
    store.close().await.expect("closed");
    assert!(fs::read(place.path()).expect("the store") == before);
}

#[tokio::test]
async fn a_database_of_another_program_is_refused() {
    let place = Place::new();
    fs::create_dir(place.home()).expect("a folder");
    let settings = settings(&place.options(), &place.path()).create_if_missing(true);
    let mut connection = settings.connect().await.expect("opens");
    sqlx::raw_sql("CREATE TABLE theirs (x); PRAGMA application_id = 7")
        .execute(&mut connection)
        .await
        .expect("runs");
    connection.close().await.expect("closes");
    let before = place.bytes();
    let error = Store::open(place.options()).await.expect_err("foreign");
    assert!(
        matches!(
            error,
            Error::Foreign {
                application_id: 7,
                ..
            }
        ),
        "{error}"
    );
    let error = recover(&place.options(), &RecoverFrom::Salvage)
        .await
        .expect_err("foreign");
    assert!(matches!(error, Error::Foreign { .. }), "{error}");
    assert!(place.bytes()["weft.db"] == before["weft.db"], "it changed");
}

#[tokio::test]
async fn reading_creates_nothing() {
    let place = Place::new();
    let error = Store::open_read_only(place.options())
        .await
        .expect_err("missing");
    assert!(matches!(error, Error::Missing { .. }), "{error}");
    let checks = check(&place.options()).await;
    assert!(checks.iter().all(|check| check.passed), "{checks:#?}");
    assert!(!place.home().exists());

    place.open().await.close().await.expect("closed");
    let before = place.bytes();
    let store = Store::open_read_only(place.options()).await.expect("opens");
    assert!(names(&store).await.is_empty());
    let error = store
        .save_design(design("shop", json!(1)))
        .await
        .expect_err("read-only");
    assert_eq!(
        error.to_string(),
        format!(
            "cannot save a design: {} is read-only: it was opened for reading only",
            place.path().display()
        )
    );
    store.close().await.expect("closed");
    assert!(place.bytes() == before, "a file changed");
}

#[tokio::test]
async fn a_read_only_file_system_can_be_read() {
    let place = Place::new();
    let home = place.home();
    let mount = Mount::new(&["--bind", home.to_str().expect("text")], &home);
    let store = place.open().await;
    store
        .save_design(design("shop", json!(1)))
        .await
        .expect("saved");
    store.close().await.expect("closed");
    mount.run("mount", &["-o", "remount,ro,bind"]);

    let store = place.open().await;
    assert_eq!(names(&store).await, ["shop"]);
    assert_eq!(
        store
            .find_design("shop", None)
            .await
            .expect("found")
            .document,
        json!(1)
    );
    let error = store
        .save_design(design("cart", json!(1)))
        .await
        .expect_err("read-only");
    assert_eq!(
        error.to_string(),
        format!(
            "cannot save a design: {} is read-only: read-only file system",
            place.path().display()
        )
    );
    let checks = check(&place.options()).await;
    assert!(checks.iter().all(|check| check.passed), "{checks:#?}");
    let missing = Options::new(
        home.join("new/weft.db"),
        home.join("key"),
        place.options().clock,
    );
    let error = Store::open(missing)
        .await
        .expect_err("nothing can be created");
    assert!(matches!(error, Error::ReadOnly { .. }), "{error}");

    // The same handle writes as soon as it may.
    mount.run("mount", &["-o", "remount,rw,bind"]);
    store
        .save_design(design("cart", json!(1)))
        .await
        .expect("saved");
    assert_eq!(names(&store).await, ["cart", "shop"]);
}

#[tokio::test]
async fn a_log_left_on_a_read_only_file_system_is_not_passed_over() {
    let place = Place::new();
    let home = place.home();
    let mount = Mount::new(&["--bind", home.to_str().expect("text")], &home);
    let store = place.open().await;
    store
        .save_design(design("shop", json!(1)))
        .await
        .expect("saved");
    // As a killed process leaves them, and as a copy without the index does.
    let killed = place.bytes();
    store.close().await.expect("closed");
    for (name, bytes) in killed {
        fs::write(home.join(name), bytes).expect("written");
    }
    mount.run("mount", &["-o", "remount,ro,bind"]);
    assert_eq!(names(&place.open().await).await, ["shop"]);
    mount.run("mount", &["-o", "remount,rw,bind"]);
    fs::remove_file(home.join("weft.db-shm")).expect("removed");
    mount.run("mount", &["-o", "remount,ro,bind"]);
    let error = Store::open(place.options())
        .await
        .expect_err("the log cannot be read");
    assert!(matches!(error, Error::ReadOnly { .. }), "{error:?}");
}

#[tokio::test]
async fn a_full_disk_refuses_and_keeps_what_is_there() {
    let place = Place::new();
    let home = place.home();
    let _mount = Mount::new(&["-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs"], &home);
    let store = place.open().await;
    store
        .save_design(design("shop", json!(1)))
        .await
        .expect("saved");
    // Space to be given back later.
    let reserve = home.join("reserve");
    fs::write(&reserve, vec![1; 600 << 10]).expect("written");
    let noise = |n: u64| {
        let mut state = n + 1;
        let numbers: Vec<u64> = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state
        })
        .take(5_000)
        .collect();
        json!(numbers)
    };
    let mut kept = 0;
    let error = loop {
        match store.save_design(design("big", noise(kept))).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 100, "the disk never fills");
    };
    assert!(matches!(error, Error::Full { .. }), "{error:?}");
    assert_eq!(names(&store).await.len(), 1 + usize::from(kept > 0));

    // Fill the rest too: a new process can still read.
    let ballast = home.join("ballast");
    let _ = fs::write(&ballast, vec![1; 1 << 20]);
    let error = store
        .save_design(design("big", noise(99)))
        .await
        .expect_err("full");
    assert!(matches!(error, Error::Full { .. }), "{error:?}");
    let backup = store
        .backup(&home.join("copy.db"), false)
        .await
        .expect_err("full");
    assert!(matches!(backup, Error::Full { .. }), "{backup:?}");
    store.close().await.expect("closed");
    let store = place.open().await;
    let found = store.find_design("shop", None).await.expect("found");
    assert_eq!(found.document, json!(1));
    let error = store
        .save_design(design("big", noise(99)))
        .await
        .expect_err("full");
    assert!(matches!(error, Error::Full { .. }), "{error:?}");
    fs::remove_file(reserve).expect("removed");
    store
        .save_design(design("again", json!(1)))
        .await
        .expect("works again");
    store.close().await.expect("closed");
    let checks = check(&place.options()).await;
    assert!(checks.iter().all(|check| check.passed), "{checks:#?}");

    // With no room for as much as the index of the log, the file alone is read.
    fs::write(&ballast, vec![1; 1 << 20]).expect_err("fills the disk");
    assert_eq!(place.names(), ["ballast", "weft.db", "weft.db.lock"]);
    let store = place.open().await;
    assert_eq!(names(&store).await, ["again", "big", "shop"]);
    let error = store
        .save_design(design("more", json!(1)))
        .await
        .expect_err("full");
    assert!(matches!(error, Error::Full { .. }), "{error:?}");
    fs::remove_file(ballast).expect("removed");
    store
        .save_design(design("more", json!(1)))
        .await
        .expect("the same handle works again");
}
