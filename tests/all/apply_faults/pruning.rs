//! What is deleted on a real API server: what was ours and is no longer wanted, as the preview said,
//! and never more.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use serde_json::{Value, json};
use weft_domain::inventory::PART_OF_LABEL;

use super::world::{Place, deployment, id_of, map, secret, service, with};
use crate::{
    seeded::Seeded,
    support::{ApiServer, Run},
};

/// How many pairs of an old and a new design are tried.
const PAIRS: u64 = 50;

/// Some objects of a small pool, now and then with a policy.
fn some_objects(random: &mut Seeded, value: &str) -> Vec<Value> {
    let mut objects = Vec::new();
    for number in 0..12 {
        if random.below(5) < 2 {
            continue;
        }
        let name = format!("o{number}");
        let object = match number % 4 {
            0 => map(&name, value),
            1 => secret(&name, value),
            2 => service(&name, 80),
            _ => deployment(&name, value, 0),
        };
        let policy = ["metadata", "annotations", "weftctl.dev/deletion-policy"];
        objects.push(if random.below(6) == 0 {
            with(object, &policy, json!("Retain"))
        } else {
            object
        });
    }
    objects
}

/// The path of an object.
fn path_of(place: &Place<'_>, object: &Value) -> String {
    let (version, plural) = (
        object["apiVersion"].as_str().unwrap_or_default(),
        format!(
            "{}s",
            object["kind"].as_str().unwrap_or_default().to_lowercase()
        ),
    );
    let root = if version == "v1" { "api" } else { "apis" };
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    place.path(&format!("{root}/{version}"), &format!("{plural}/{name}"))
}

fn uid(place: &Place<'_>, object: &Value) -> Option<String> {
    let live = place.server.api.get(&path_of(place, object))?;
    // Without controllers nobody ends what is deleted in the foreground; nothing here is.
    live["metadata"]["uid"].as_str().map(str::to_owned)
}

fn create(place: &Place<'_>, object: &Value) -> Value {
    let path = path_of(place, object);
    let (collection, _) = path.rsplit_once('/').expect("a path");
    let made = place
        .server
        .api
        .send("POST", collection, Some(("application/json", object)));
    assert_eq!(made.0, 201, "{}", made.1);
    made.1
}

/// The actions of a result on what is no longer wanted.
fn removals(run: &Run) -> BTreeMap<String, String> {
    let resources = run.json()["resources"].as_array().cloned().expect("a list");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let removals = resources
        .iter()
        .filter(|resource| resource["action"] == "pruned" || resource["action"] == "released");
    removals
        .map(|resource| (text(&resource["id"]), text(&resource["action"])))
        .collect()
}

/// What somebody else does to members between two runs.
fn disturb(place: &Place<'_>, random: &mut Seeded, old: &[Value]) -> BTreeSet<String> {
    let mut not_ours = BTreeSet::new();
    for object in old {
        let path = path_of(place, object);
        match random.below(8) {
            // Somebody takes our label off.
            0 => {
                let patch = json!({"metadata": {"labels": {PART_OF_LABEL: null}}});
                place.server.api.merge(&path, &patch);
            }
            // Somebody has deleted it and made another one of that name.
            1 => {
                place.server.api.delete(&path);
                create(place, object);
            }
            _ => continue,
        }
        not_ours.insert(path);
    }
    not_ours
}

fn pair(place: &Place<'_>, seed: u64, counts: &Mutex<BTreeMap<&'static str, usize>>) {
    let random = &mut Seeded::new(seed);
    let set = place.set("app").to_string();
    let (old, new) = (some_objects(random, "old"), some_objects(random, "new"));
    let taken = map("taken", "ours");
    place.write(
        "app.yaml",
        &[&old[..], std::slice::from_ref(&taken)].concat(),
    );
    place.run(&["deploy", "app.yaml"]).succeeds();

    // Three strangers. Our label without our manager's entry:
    let labels = json!({PART_OF_LABEL: set, "app": "x"});
    let copied = with(
        map("copied", "theirs"),
        &["metadata", "labels"],
        labels.clone(),
    );
    create(place, &copied);
    // The name of a member, owned by another set:
    place.server.api.delete(&path_of(place, &taken));
    place.write("other.yaml", &[map("taken", "theirs")]);
    place.run(&["deploy", "other.yaml"]).succeeds();
    // What a controller makes with the labels of its Service:
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "slice", "labels": labels, "ownerReferences": [{
            "apiVersion": "v1", "kind": "Service", "name": "gone", "controller": true,
            "uid": "11111111-2222-3333-4444-555555555555",
        }]},
        "endpoints": [],
    });
    create(place, &slice);
    let strangers = [copied, taken.clone(), slice];
    let before = strangers.clone().map(|stranger| uid(place, &stranger));
    let not_ours = disturb(place, random, &old);

    // What is gone from the design and still ours goes; what is retained is let go of.
    let id = |object: &Value| {
        id_of(&with(
            object.clone(),
            &["metadata", "namespace"],
            json!(place.namespace),
        ))
        .to_string()
    };
    let wanted: BTreeSet<String> = new.iter().map(id).collect();
    let mut expected = BTreeMap::new();
    for object in &old {
        if wanted.contains(&id(object)) || not_ours.contains(&path_of(place, object)) {
            continue;
        }
        let annotations = &object["metadata"]["annotations"];
        let action = match annotations.get("weftctl.dev/deletion-policy") {
            Some(_) => "released",
            None => "pruned",
        };
        expected.insert(id(object), action.to_owned());
    }
    let lived: BTreeMap<String, Option<String>> = old
        .iter()
        .map(|object| (id(object), uid(place, object)))
        .collect();

    place.write("app.yaml", &new);
    let more = [
        "app.yaml",
        "--prune",
        "--adopt",
        "--force-conflicts",
        "-o",
        "json",
    ];
    let plan = place.run(&[&["plan"], &more[..]].concat());
    let run = place.run(&[&["deploy", "--yes"], &more[..]].concat());
    let context = format!("seed {seed}:\n{plan}\n{run}");
    assert_eq!(run.code, Some(0), "{context}");
    assert_eq!(removals(&plan), expected, "the preview, {context}");
    assert_eq!(removals(&run), expected, "what was done, {context}");
    for object in &old {
        let id = id(object);
        let now = uid(place, object);
        match expected.get(&id).map(String::as_str) {
            Some("pruned") => assert_eq!(now, None, "{id} is there, {context}"),
            _ => assert_eq!(now, lived[&id], "{id} is another or gone, {context}"),
        }
    }
    let after = strangers.clone().map(|stranger| uid(place, &stranger));
    assert_eq!(after, before, "the strangers, {context}");
    let mut counts = counts.lock().expect("no panic");
    for (name, count) in [
        ("pairs", 1),
        ("members of the old ones", old.len()),
        (
            "pruned",
            expected.values().filter(|a| *a == "pruned").count(),
        ),
        (
            "released",
            expected.values().filter(|a| *a == "released").count(),
        ),
        ("of others", not_ours.len()),
        ("strangers that survived", after.iter().flatten().count()),
    ] {
        *counts.entry(name).or_default() += count;
    }
    drop(counts);

    // And away with everything but the strangers.
    place
        .run(&["undeploy", "app", "--confirm", "app"])
        .succeeds();
    let after = strangers.map(|stranger| uid(place, &stranger));
    assert_eq!(after, before, "the strangers, {context}");
    let kept = place.kept("app");
    assert_eq!(kept, [""; 0], "{context}");
}

#[test]
fn prune_deletes_what_the_preview_said_what_is_ours_and_nothing_else() {
    let server = ApiServer::shared();
    let seed = Seeded::seed();
    let counts = Mutex::default();
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= PAIRS {
                        break;
                    }
                    let place = Place::new(server, "prune");
                    pair(&place, seed.wrapping_add(number), &counts);
                }
            });
        }
    });
    let counts = counts.into_inner().expect("no panic");
    println!("{counts:?}");
    assert_eq!(counts["strangers that survived"], 150);
    assert!(counts["pruned"] > 50 && counts["released"] > 5);
}
