//! An imitation of a server: objects are drawn, applied, and changed one field at a time.

use serde_json::{Map, Value, json};

use super::super::*;
use super::{OURS, entry, held, ignore, names, object, path, told};

/// xorshift64*, enough to vary objects.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(drawn).unwrap_or(0) % limit
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

/// What a server knows of a field.
#[derive(Clone)]
enum Shape {
    Text,
    Number,
    Quantity,
    /// Any keys.
    Map(Box<Shape>),
    /// These keys; a server adds more.
    Struct(Vec<(&'static str, Shape)>),
    /// A list told apart by keys, the last of which has a default where one is given.
    Keyed(&'static [&'static str], Option<&'static str>, Box<Shape>),
    Set,
    /// A list or mapping that is replaced as a whole.
    AtomicList(Box<Shape>),
    AtomicMap,
}

fn shape() -> Shape {
    use Shape::{AtomicList, AtomicMap, Keyed, Map, Number, Quantity, Set, Struct, Text};
    let texts = || Map(Box::new(Text));
    let env = Struct(vec![("name", Text), ("value", Text), ("ref", AtomicMap)]);
    let port = Struct(vec![("port", Number), ("protocol", Text), ("name", Text)]);
    let container = Struct(vec![
        ("name", Text),
        ("image", Text),
        ("args", AtomicList(Box::new(Text))),
        ("env", Keyed(&["name"], None, Box::new(env))),
        (
            "ports",
            Keyed(&["port", "protocol"], Some("TCP"), Box::new(port)),
        ),
        (
            "resources",
            Struct(vec![
                ("limits", Map(Box::new(Quantity))),
                ("requests", Map(Box::new(Quantity))),
            ]),
        ),
    ]);
    let rule = Struct(vec![
        ("host", Text),
        ("paths", AtomicList(Box::new(AtomicMap))),
    ]);
    Struct(vec![
        (
            "metadata",
            Struct(vec![
                ("labels", texts()),
                ("annotations", texts()),
                ("finalizers", Set),
            ]),
        ),
        (
            "spec",
            Struct(vec![
                ("replicas", Number),
                ("selector", AtomicMap),
                ("rules", AtomicList(Box::new(rule))),
                (
                    "template",
                    Struct(vec![
                        ("metadata", Struct(vec![("labels", texts())])),
                        (
                            "spec",
                            Struct(vec![
                                ("containers", Keyed(&["name"], None, Box::new(container))),
                                ("nodeSelector", AtomicMap),
                            ]),
                        ),
                    ]),
                ),
            ]),
        ),
        ("data", texts()),
    ])
}

const NAMES: [&str; 6] = ["a", "b-1", "example.com/part-of", "C", "x.y", "long name"];
const QUANTITIES: [[&str; 2]; 4] = [
    ["500m", "0.5"],
    ["1Gi", "1024Mi"],
    ["2", "2000m"],
    ["1e3", "1k"],
];

impl Shape {
    /// Draws a value that somebody may want; with emptiness also those that a server leaves out.
    fn wanted(&self, random: &mut Random, with_emptiness: bool) -> Value {
        let is_empty = with_emptiness && random.one_in(6);
        match self {
            Self::Text if is_empty => json!(""),
            Self::Number if is_empty => json!(0),
            Self::Text => json!(format!("text {}", random.below(1000))),
            Self::Number => json!(1 + random.below(1000)),
            Self::Quantity => json!(QUANTITIES[random.below(4)][random.below(2)]),
            Self::Map(_) | Self::AtomicMap | Self::AtomicList(_) | Self::Set if is_empty => {
                match self {
                    Self::Map(_) | Self::AtomicMap => json!({}),
                    _ => json!([]),
                }
            }
            Self::Map(inner) => {
                let mut map = Map::new();
                for _ in 0..=random.below(3) {
                    map.insert(
                        NAMES[random.below(6)].to_owned(),
                        inner.wanted(random, with_emptiness),
                    );
                }
                Value::Object(map)
            }
            Self::AtomicMap => {
                json!({"key": random.below(9), "deep": {"text": format!("t{}", random.below(9))}})
            }
            Self::Struct(fields) => {
                let mut map = Map::new();
                for (name, inner) in fields {
                    if with_emptiness && random.one_in(12) {
                        map.insert((*name).to_owned(), Value::Null);
                    } else if !random.one_in(4) {
                        let value = inner.wanted(random, with_emptiness);
                        // An empty mapping is emptiness too.
                        if with_emptiness || value != json!({}) {
                            map.insert((*name).to_owned(), value);
                        }
                    }
                }
                Value::Object(map)
            }
            Self::Keyed(keys, default, inner) => {
                let items = (0..=random.below(3)).map(|index| {
                    let mut item = inner.wanted(random, with_emptiness);
                    item[keys[0]] = if keys[0] == "port" {
                        json!(50 + index / 2)
                    } else {
                        json!(format!("n{index}"))
                    };
                    if let (Some(default), Some(item), Some(key)) =
                        (default, item.as_object_mut(), keys.get(1))
                    {
                        item.shift_remove(*key);
                        if index % 2 == 1 {
                            item.insert((*key).to_owned(), json!("UDP"));
                        } else if random.one_in(2) {
                            item.insert((*key).to_owned(), json!(default));
                        }
                    }
                    item
                });
                items.collect()
            }
            Self::Set => (0..=random.below(3))
                .map(|index| json!(format!("s{index}")))
                .collect(),
            Self::AtomicList(inner) => (0..=random.below(2))
                .map(|_| inner.wanted(random, false))
                .collect(),
        }
    }

    /// The set of fields of a value, as `typed/tofieldset.go` makes it.
    fn fields(&self, wanted: &Value) -> Value {
        let mut fields = Map::new();
        match (self, wanted) {
            (Self::Struct(shapes), Value::Object(map)) => {
                for (name, inner) in shapes {
                    if let Some(value) = map.get(*name) {
                        let below = inner.fields(value);
                        let is_list = matches!(inner, Self::Keyed(..) | Self::Set);
                        // An empty list that is told apart leaves nothing.
                        if !(is_list && value.as_array().is_some_and(Vec::is_empty)) {
                            fields.insert(format!("f:{name}"), below);
                        }
                    }
                }
            }
            (Self::Map(inner), Value::Object(map)) => {
                for (name, value) in map {
                    fields.insert(format!("f:{name}"), inner.fields(value));
                }
            }
            (Self::Keyed(..), Value::Array(items)) => {
                for item in items {
                    fields.insert(format!("k:{}", self.keys(item)), self.item(item));
                }
            }
            (Self::Set, Value::Array(items)) => {
                for item in items {
                    fields.insert(format!("v:{item}"), json!({}));
                }
            }
            _ => {}
        }
        Value::Object(fields)
    }

    fn item(&self, item: &Value) -> Value {
        let Self::Keyed(_, _, inner) = self else {
            panic!("only lists have items");
        };
        let mut fields = inner.fields(item);
        fields["."] = json!({});
        fields
    }

    fn keys(&self, item: &Value) -> Value {
        let Self::Keyed(keys, default, _) = self else {
            panic!("only lists have keys");
        };
        let keys = keys.iter().map(|key| {
            let value = item.get(key).cloned();
            ((*key).to_owned(), value.unwrap_or_else(|| json!(default)))
        });
        Value::Object(keys.collect())
    }

    /// What the server makes of a value: quantities in other words, defaults, and what others add.
    fn live(&self, wanted: &Value, random: &mut Random) -> Value {
        match (self, wanted) {
            (Self::Quantity, Value::String(text)) => {
                let texts = QUANTITIES
                    .iter()
                    .find(|texts| texts.contains(&text.as_str()));
                json!(texts.map_or(text.as_str(), |texts| texts[random.below(2)]))
            }
            (Self::Struct(shapes), Value::Object(map)) => {
                let mut live = Map::new();
                for (name, inner) in shapes {
                    match map.get(*name) {
                        None | Some(Value::Null) => {}
                        Some(value) if is_omitted(value) && random.one_in(2) => {}
                        Some(value) => {
                            live.insert((*name).to_owned(), inner.live(value, random));
                        }
                    }
                }
                if random.one_in(3) {
                    live.insert("filledIn".to_owned(), json!({"by": ["the", "server"]}));
                }
                Value::Object(live)
            }
            (Self::Map(inner), Value::Object(map)) => {
                let live = map
                    .iter()
                    .map(|(name, value)| (name.clone(), inner.live(value, random)));
                let mut live: Map<_, _> = live.collect();
                if random.one_in(3) {
                    live.insert("foreign".to_owned(), json!("1"));
                }
                Value::Object(live)
            }
            (Self::Keyed(keys, default, inner), Value::Array(items)) => {
                let mut live = Vec::new();
                for item in items {
                    if random.one_in(4) {
                        let place = json!({"name": format!("foreign{}", live.len()), "port": 9000 + live.len(), "protocol": "TCP"});
                        live.push(place);
                    }
                    let mut item = inner.live(item, random);
                    if let (Some(key), Some(default)) = (keys.get(1), default)
                        && item.get(key).is_none()
                    {
                        item[*key] = json!(default);
                    }
                    live.push(item);
                }
                Value::Array(live)
            }
            (Self::Set, Value::Array(items)) => {
                let mut live = items.clone();
                live.reverse();
                live.insert(random.below(live.len() + 1), json!("foreign"));
                Value::Array(live)
            }
            _ => wanted.clone(),
        }
    }

    /// The fields that one can change, by their readable path and their places on both sides.
    fn leaves(&self, wanted: &Value, live: &Value, at: &Leaf, found: &mut Vec<Leaf>) {
        match (self, wanted, live) {
            (Self::Struct(shapes), Value::Object(map), Value::Object(_)) => {
                for (name, inner) in shapes {
                    if let Some(value) = map.get(*name) {
                        inner.leaves(value, &live[name], &at.key(name), found);
                    }
                }
            }
            (Self::Map(inner), Value::Object(map), Value::Object(_)) => {
                for (name, value) in map {
                    inner.leaves(value, &live[name], &at.key(name), found);
                }
            }
            (Self::Keyed(keys, _, inner), Value::Array(items), Value::Array(live_items)) => {
                for (index, item) in items.iter().enumerate() {
                    let own = self.keys(item);
                    let own = own.as_object().expect("keys are a mapping");
                    let name: Vec<_> = own
                        .iter()
                        .map(|(key, value)| {
                            format!(
                                "{key}={}",
                                value.as_str().map_or(value.to_string(), str::to_owned)
                            )
                        })
                        .collect();
                    let live_index = live_items
                        .iter()
                        .position(|item| own.iter().all(|(key, value)| item[key] == *value));
                    let live_index = live_index.expect("the server keeps our items");
                    let mut at = at.item(&name.join(","), index, live_index);
                    at.kind = Kind::Item;
                    found.push(at.clone());
                    at.keys = keys;
                    inner.leaves(item, &live_items[live_index], &at, found);
                }
            }
            (Self::Set, Value::Array(items), Value::Array(live_items)) => {
                for (index, item) in items.iter().enumerate() {
                    let live_index = live_items.iter().position(|live| live == item);
                    let mut at =
                        at.item(&item.to_string(), index, live_index.expect("it is there"));
                    at.kind = Kind::Member;
                    found.push(at);
                }
            }
            (Self::AtomicList(_) | Self::AtomicMap, _, _) => {
                let mut at = at.clone();
                at.kind = Kind::Whole;
                found.push(at);
            }
            _ => {
                let is_key = at.wanted.last().is_some_and(
                    |last| matches!(last, Segment::Key(key) if at.keys.contains(&key.as_str())),
                );
                let mut at = at.clone();
                at.kind = if is_key { Kind::Key } else { Kind::Scalar };
                found.push(at);
            }
        }
    }
}

fn is_omitted(value: &Value) -> bool {
    [json!(""), json!(0), json!({}), json!([])].contains(value)
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Scalar,
    /// A scalar by which an item is found.
    Key,
    /// An item of a list.
    Item,
    /// An item of a set.
    Member,
    /// A list or mapping that is replaced as a whole.
    Whole,
}

#[derive(Debug, Clone)]
struct Leaf {
    path: String,
    wanted: Vec<Segment>,
    live: Vec<Segment>,
    kind: Kind,
    keys: &'static [&'static str],
}

impl Leaf {
    fn root() -> Self {
        Self {
            path: String::new(),
            wanted: Vec::new(),
            live: Vec::new(),
            kind: Kind::Scalar,
            keys: &[],
        }
    }

    fn key(&self, key: &str) -> Self {
        let step = Path::root().join(key).to_string();
        let dot = if self.path.is_empty() || step.starts_with('[') {
            ""
        } else {
            "."
        };
        let is_item = self.kind == Kind::Item;
        let mut leaf = self.clone();
        leaf.path = format!("{}{dot}{step}", self.path);
        leaf.wanted.push(key.into());
        leaf.live.push(key.into());
        if !is_item {
            leaf.keys = &[];
        }
        leaf.kind = Kind::Scalar;
        leaf
    }

    fn item(&self, name: &str, wanted: usize, live: usize) -> Self {
        let mut leaf = self.clone();
        leaf.path = format!("{}[{name}]", self.path);
        leaf.wanted.push(wanted.into());
        leaf.live.push(live.into());
        leaf
    }
}

fn place<'a>(object: &'a mut Value, at: &[Segment]) -> &'a mut Value {
    at.iter().fold(object, |value, segment| match segment {
        Segment::Key(key) => &mut value[key.as_str()],
        Segment::Index(index) => &mut value[*index],
    })
}

fn remove(object: &mut Value, at: &[Segment]) {
    let (last, above) = at.split_last().expect("the root stays");
    match (place(object, above), last) {
        (Value::Object(map), Segment::Key(key)) => drop(map.shift_remove(key)),
        (Value::Array(items), Segment::Index(index)) => drop(items.remove(*index)),
        (other, segment) => panic!("{other} has no {segment:?}"),
    }
}

/// Makes another value of the same kind, that means something else.
fn other(value: &Value) -> Value {
    match value {
        Value::String(text)
            if QUANTITIES
                .iter()
                .any(|texts| texts.contains(&text.as_str())) =>
        {
            json!("7777")
        }
        Value::String(text) => json!(format!("{text} other")),
        Value::Number(number) => json!(number.as_u64().unwrap_or(0) + 10_000),
        Value::Array(items) => {
            let mut items = items.clone();
            items.push(json!("another"));
            json!(items)
        }
        Value::Object(_) => {
            let mut value = value.clone();
            value["key"] = json!(99);
            value
        }
        Value::Null | Value::Bool(_) => json!("other"),
    }
}

struct Applied {
    desired: Value,
    live: Value,
    leaves: Vec<Leaf>,
}

/// Draws an object and applies it to an imitation of a server.
fn applied_at(seed: u64, with_emptiness: bool) -> Applied {
    let random = &mut Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let desired = named(shape().wanted(random, with_emptiness));
    applied(desired, random, with_emptiness)
}

fn named(mut object: Value) -> Value {
    object["apiVersion"] = json!("v1");
    object["kind"] = json!("Thing");
    if !object["metadata"].is_object() {
        object["metadata"] = json!({});
    }
    object["metadata"]["name"] = json!("a");
    object
}

fn applied(desired: Value, random: &mut Random, with_emptiness: bool) -> Applied {
    let shape = shape();
    let mut fields = shape.fields(&desired);
    if fields["f:metadata"] == json!({}) {
        // A name alone is held by nobody.
        let map = fields.as_object_mut().expect("it is a mapping");
        map.shift_remove("f:metadata");
    }
    let live = shape.live(&desired, random);
    let mut leaves = Vec::new();
    if !with_emptiness {
        shape.leaves(&desired, &live, &Leaf::root(), &mut leaves);
    }
    let mut live = named(live);
    let foreign = json!({
        "f:metadata": {"f:labels": {"f:foreign": {}}},
        "f:spec": {"f:filledIn": {}},
    });
    let mut list = vec![
        entry("kubectl-edit", "Update", &foreign),
        entry("other", "Apply", &json!({"f:x": {}})),
    ];
    if fields.as_object().is_some_and(|fields| !fields.is_empty()) {
        list.insert(random.below(3), entry(OURS, "Apply", &fields));
    }
    live["metadata"]["managedFields"] = json!(list);
    live["metadata"]["uid"] = json!("u");
    live["status"] = json!({"filledIn": true});
    Applied {
        desired,
        live,
        leaves,
    }
}

#[test]
fn ignored_fields_may_be_anything() {
    let mut same = 0;
    for seed in 1..=300 {
        let Applied {
            desired, leaves, ..
        } = applied_at(seed, false);
        let random = &mut Random(seed);
        let leaves: Vec<_> = leaves
            .iter()
            .filter(|leaf| leaf.kind == Kind::Scalar)
            .collect();
        if leaves.is_empty() {
            continue;
        }
        let texts: Vec<String> = (0..3)
            .map(|_| Path(leaves[random.below(leaves.len())].wanted.clone()).to_string())
            .collect();
        let texts: Vec<_> = texts.iter().map(String::as_str).collect();
        let paths = ignore(&texts);
        let stripped = without_ignored(&desired, &paths).into_owned();
        assert_ne!(stripped, desired, "seed {seed}");
        let Applied { live, .. } = applied(stripped, random, false);
        // What was sent holds nothing of it, and others may have written there.
        for value in [Value::Null, json!("theirs")] {
            let mut live = live.clone();
            for path in &texts {
                let at = leaves
                    .iter()
                    .find(|leaf| Path(leaf.wanted.clone()).to_string() == *path);
                let at = &at.expect("it was drawn").wanted;
                let is_below_items = at.iter().any(|step| matches!(step, Segment::Index(_)));
                let above = Path(at[..at.len() - 1].to_vec());
                if !is_below_items && above.find(&live).is_some_and(Value::is_object) {
                    *place(&mut live, at) = value.clone();
                }
            }
            match compare(&desired, &live, OURS, &paths) {
                Comparison::Same => same += 1,
                Comparison::Unsure(unsure) => {
                    // An emptied mapping; what was empty may have been anything.
                    let is_emptied =
                        |path: &String| texts.iter().any(|text| text.starts_with(path));
                    let is_known = unsure
                        .iter()
                        .all(|path| is_emptied(path) || path.contains('='));
                    assert!(is_known, "seed {seed}: {unsure:?} {texts:?}");
                }
                Comparison::Different(drifts) => {
                    panic!("seed {seed}: {drifts:?} {texts:?}\n{desired}\n{live}")
                }
            }
            assert_eq!(
                compare_as_applied(&desired, &live, OURS, &paths),
                Comparison::Same,
                "seed {seed}: {texts:?}"
            );
        }
    }
    assert!(same > 300, "{same}");
}

#[test]
fn what_was_applied_is_the_same_whatever_others_add() {
    let mut leaves = 0;
    for seed in 1..=400 {
        let applied = applied_at(seed, false);
        leaves += applied.leaves.len();
        let Applied { desired, live, .. } = &applied;
        assert_eq!(
            compare(desired, live, OURS, &[]),
            Comparison::Same,
            "seed {seed}"
        );
        assert_eq!(
            compare_as_applied(desired, live, OURS, &[]),
            Comparison::Same,
            "seed {seed}"
        );
        // Nobody else applied it.
        assert!(
            matches!(
                compare(desired, live, "weftctl-other", &[]),
                Comparison::Different(_)
            ) || applied.leaves.is_empty()
        );
    }
    assert!(leaves > 2_000, "{leaves}");
}

#[test]
fn what_a_server_leaves_out_is_at_worst_unclear() {
    let (mut same, mut unsure) = (0, 0);
    for seed in 1..=400 {
        let Applied { desired, live, .. } = applied_at(seed, true);
        match compare(&desired, &live, OURS, &[]) {
            Comparison::Same => same += 1,
            Comparison::Unsure(_) => unsure += 1,
            Comparison::Different(drifts) => panic!("seed {seed}: {drifts:?}\n{desired}\n{live}"),
        }
    }
    assert!(same > 10 && unsure > 100, "{same} {unsure}");
}

#[test]
fn one_changed_field_of_ours_is_named_and_nothing_else() {
    let mut seen = [0; 5];
    for seed in 1..=150 {
        let Applied {
            desired,
            live,
            leaves,
        } = applied_at(seed, false);
        for leaf in &leaves {
            let mut changed = live.clone();
            let value = place(&mut changed, &leaf.live);
            *value = match leaf.kind {
                Kind::Item => json!({"name": "other", "port": 1, "protocol": "SCTP"}),
                _ => other(value),
            };
            let Comparison::Different(drifts) = compare(&desired, &changed, OURS, &[]) else {
                panic!("seed {seed}: {} was changed", leaf.path);
            };
            let paths: Vec<_> = drifts.iter().map(|drift| drift.path.as_str()).collect();
            match leaf.kind {
                Kind::Scalar | Kind::Member | Kind::Item => {
                    assert_eq!(paths, [leaf.path.as_str()], "seed {seed}");
                }
                // The item is another one then.
                Kind::Key => assert!(
                    paths.len() == 1 && leaf.path.starts_with(paths[0]),
                    "seed {seed}: {paths:?}"
                ),
                Kind::Whole => assert!(
                    paths.len() == 1 && paths[0].starts_with(&leaf.path),
                    "seed {seed}: {paths:?}"
                ),
            }
            assert_eq!(
                names(&drifts[0].owners),
                [OURS],
                "seed {seed}: {}",
                leaf.path
            );
            seen[leaf.kind as usize] += 1;
            // As applied, it is the server's doing as long as the field is ours.
            let comparison = compare_as_applied(&desired, &changed, OURS, &[]);
            assert_ne!(comparison, Comparison::Same, "seed {seed}: {}", leaf.path);
        }
    }
    assert!(seen.iter().all(|count| *count > 100), "{seen:?}");
}

#[test]
fn one_field_less_or_changed_in_what_is_wanted_is_named() {
    let mut seen = [0; 5];
    for seed in 1..=150 {
        let Applied {
            desired,
            live,
            leaves,
        } = applied_at(seed, false);
        for leaf in leaves.iter().filter(|leaf| leaf.kind != Kind::Key) {
            let mut less = desired.clone();
            remove(&mut less, &leaf.wanted);
            let drifts = told(compare(&less, &live, OURS, &[]));
            let expected = format!("{}: -, ", leaf.path);
            assert!(
                drifts.len() == 1 && drifts[0].starts_with(&expected),
                "seed {seed}: {expected} {drifts:?}"
            );
            let mut changed = desired.clone();
            let value = place(&mut changed, &leaf.wanted);
            *value = other(value);
            let drifts = told(compare(&changed, &live, OURS, &[]));
            let is_named = drifts.iter().any(|drift| drift.starts_with(&leaf.path));
            assert!(
                is_named || leaf.kind == Kind::Member,
                "seed {seed}: {} {drifts:?}",
                leaf.path
            );
            assert!(
                drifts
                    .iter()
                    .all(|drift| drift != "same" && !drift.starts_with('?')),
                "seed {seed}: {drifts:?}"
            );
            seen[leaf.kind as usize] += 1;
        }
    }
    assert!(
        seen[0] > 100 && seen[2] > 100 && seen[3] > 100 && seen[4] > 100,
        "{seen:?}"
    );
}

#[test]
fn a_field_that_another_took_over_is_named_with_its_owner() {
    let mut count = 0;
    for seed in 1..=150 {
        let Applied {
            desired,
            live,
            leaves,
        } = applied_at(seed, false);
        for leaf in leaves.iter().filter(|leaf| leaf.kind == Kind::Scalar) {
            // An update takes the field from us.
            let mut changed = live.clone();
            let value = place(&mut changed, &leaf.live);
            *value = other(value);
            let list = changed["metadata"]["managedFields"]
                .as_array_mut()
                .expect("it is a list");
            let Some(index) = list.iter().position(|entry| entry["manager"] == OURS) else {
                continue;
            };
            let mut set = &mut list[index]["fieldsV1"];
            let mut taken = json!({});
            let mut steps = Vec::new();
            let mut live_value = &live;
            for (depth, segment) in leaf.live.iter().enumerate() {
                let key = match segment {
                    Segment::Key(key) => {
                        live_value = &live_value[key];
                        format!("f:{key}")
                    }
                    Segment::Index(index) => {
                        live_value = &live_value[*index];
                        let keys = set.as_object().expect("it is a mapping").keys();
                        let mut keys = keys.filter(|key| {
                            let Some(Element::Key(keys)) = Element::parse(key) else {
                                return false;
                            };
                            keys.iter().all(|(key, value)| live_value[key] == *value)
                        });
                        keys.next().expect("the item is ours").clone()
                    }
                };
                steps.push(key.clone());
                if depth + 1 == leaf.live.len() {
                    set.as_object_mut()
                        .expect("it is a mapping")
                        .shift_remove(&key);
                    break;
                }
                set = &mut set[key];
            }
            for step in steps.iter().rev() {
                taken = json!({step: taken});
            }
            list.push(entry("thief", "Update", &taken));
            for comparison in [
                compare(&desired, &changed, OURS, &[]),
                compare_as_applied(&desired, &changed, OURS, &[]),
            ] {
                let Comparison::Different(drifts) = comparison else {
                    panic!("seed {seed}: {} was taken", leaf.path);
                };
                assert_eq!(drifts.len(), 1, "seed {seed}: {drifts:?}");
                assert_eq!(drifts[0].path, leaf.path, "seed {seed}");
                assert_eq!(
                    names(&drifts[0].owners),
                    ["thief"],
                    "seed {seed}: {}",
                    leaf.path
                );
            }
            count += 1;
        }
    }
    assert!(count > 500, "{count}");
}

#[test]
fn a_damaged_entry_is_never_taken_for_the_same() {
    let mut count = 0;
    for seed in 1..=300 {
        let Applied {
            desired, mut live, ..
        } = applied_at(seed, false);
        let random = &mut Random(seed);
        let list = live["metadata"]["managedFields"]
            .as_array_mut()
            .expect("it is a list");
        let Some(own) = list.iter_mut().find(|entry| entry["manager"] == OURS) else {
            continue;
        };
        let mut set = &mut own["fieldsV1"];
        loop {
            let map = set.as_object_mut().expect("it is a mapping");
            let keys: Vec<String> = map.keys().filter(|key| *key != ".").cloned().collect();
            let key = keys[random.below(keys.len())].clone();
            let below = map[&key]
                .as_object()
                .map_or(0, |below| below.keys().filter(|key| *key != ".").count());
            if below > 0 && !random.one_in(3) {
                set = &mut set[&key];
                continue;
            }
            let value = map.shift_remove(&key).expect("it is there");
            match random.below(5) {
                0 => drop(map.insert(key, json!(7))),
                1 => drop(map.insert(key, json!(["f:a"]))),
                2 => drop(map.insert(key[2..].to_owned(), value)),
                3 => drop(map.insert(format!("k:{key}"), value)),
                _ => drop(map.insert(format!("z{key}"), value)),
            }
            break;
        }
        assert_ne!(
            compare(&desired, &live, OURS, &[]),
            Comparison::Same,
            "seed {seed}"
        );
        assert_ne!(
            compare_as_applied(&desired, &live, OURS, &[]),
            Comparison::Same,
            "seed {seed}"
        );
        count += 1;
    }
    assert!(count > 200, "{count}");
}

/// Draws any JSON, with keys and texts that mean something here.
fn junk(random: &mut Random, depth: usize) -> Value {
    const WORDS: [&str; 16] = [
        "metadata",
        "managedFields",
        "f:spec",
        "spec",
        ".",
        "k:{\"name\":\"a\"}",
        "v:\"a\"",
        "i:0",
        "name",
        "a",
        "fieldsV1",
        "manager",
        "f:metadata",
        "k:{",
        "data",
        "status",
    ];
    match random.below(if depth == 0 { 5 } else { 9 }) {
        0 => Value::Null,
        1 => json!(random.one_in(2)),
        2 => json!(random.below(3)),
        3 => json!(WORDS[random.below(16)]),
        4 => json!(["1Gi", "0.5", "60s", "2026-01-01T00:00:00Z", "é\u{0}", ""][random.below(6)]),
        5 | 6 => (0..random.below(4))
            .map(|_| junk(random, depth - 1))
            .collect(),
        _ => {
            let fields = (0..random.below(5))
                .map(|_| (WORDS[random.below(16)].to_owned(), junk(random, depth - 1)));
            Value::Object(fields.collect())
        }
    }
}

#[test]
fn no_input_makes_it_panic() {
    let mut compared = [0; 3];
    for seed in 1..=4_000 {
        let random = &mut Random(seed * 77 + 1);
        let (mut desired, mut live) = (junk(random, 5), junk(random, 5));
        if random.one_in(8) {
            desired = object(&json!({}));
            live = object(&json!({"spec": live}));
        } else if random.one_in(2) {
            desired = object(&json!({"spec": desired, "data": junk(random, 3)}));
            live = held(
                &json!({"spec": live, "data": junk(random, 3)}),
                &junk(random, 6),
            );
            if random.one_in(2) {
                desired["spec"] = live["spec"].clone();
            }
            let more = junk(random, 3);
            live["metadata"]["managedFields"]
                .as_array_mut()
                .expect("it is a list")
                .push(more);
        }
        let paths = ignore(&["spec.name", "spec[*].a", "data[0]", "spec.metadata[*]"]);
        let paths = &paths[..random.below(5)];
        for comparison in [
            compare(&desired, &live, OURS, paths),
            compare_as_applied(&desired, &live, OURS, paths),
        ] {
            compared[match comparison {
                Comparison::Same => 0,
                Comparison::Different(_) => 1,
                Comparison::Unsure(_) => 2,
            }] += 1;
        }
        overlaps(&desired, &live, paths);
        managers(&live);
        owners(&live, &path("spec/a/0/name"));
        conflicts(&live);
        let stripped = without_ignored(&desired, paths).into_owned();
        assert_eq!(without_ignored(&stripped, &[]).into_owned(), stripped);
    }
    assert!(compared.iter().all(|count| *count > 50), "{compared:?}");
}
