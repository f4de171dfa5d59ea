//! One service of the project, read key by key.
//! Every key has an answer: a field of the pod, a field of the workload, or a note.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::health::{self, Probes};
use super::mounts::{self, Mounts};
use super::ports::{self, Port};
use super::project::Project;
use super::words::Quoting;
use super::{Error, MOST_PORTS, Notes, interpolate, read, units, words};

/// Keys without an equivalent, and why they are left out.
const WITHOUT_EQUIVALENT: [(&str, &str); 42] = [
    ("attach", "concerns the terminal of compose only; left out"),
    ("blkio_config", "has no equivalent; left out"),
    ("cgroup", "has no equivalent; left out"),
    ("cgroup_parent", "has no equivalent; left out"),
    (
        "container_name",
        "left out; the pods have names of their own, and others reach the service by its name",
    ),
    ("cpu_count", "has no equivalent; left out"),
    ("cpu_percent", "has no equivalent; left out"),
    ("cpu_period", "has no equivalent; left out (cpus has one)"),
    ("cpu_quota", "has no equivalent; left out (cpus has one)"),
    ("cpu_rt_period", "has no equivalent; left out"),
    ("cpu_rt_runtime", "has no equivalent; left out"),
    (
        "cpu_shares",
        "has no equivalent; left out (deploy.resources.reservations.cpus has one)",
    ),
    ("cpuset", "has no equivalent; left out"),
    ("credential_spec", "has no equivalent; left out"),
    (
        "develop",
        "concerns development with compose only; left out",
    ),
    ("device_cgroup_rules", "has no equivalent; left out"),
    (
        "devices",
        "devices of the host need a device plugin; left out",
    ),
    ("domainname", "has no equivalent; left out"),
    (
        "external_links",
        "left out; give the other service a Service in this namespace",
    ),
    (
        "gpus",
        "left out; ask for the resource of the device plugin in use",
    ),
    (
        "init",
        "has no equivalent; left out (shareProcessNamespace is near)",
    ),
    ("isolation", "has no equivalent; left out"),
    ("label_file", "left out; write the labels into the project"),
    ("logging", "left out; the cluster collects the logs"),
    ("mac_address", "has no equivalent; left out"),
    ("mem_swappiness", "has no equivalent; left out"),
    ("memswap_limit", "has no equivalent; left out"),
    ("models", "has no equivalent; left out"),
    (
        "networks",
        "left out; all pods reach one another unless a NetworkPolicy forbids it",
    ),
    ("oom_kill_disable", "has no equivalent; left out"),
    ("oom_score_adj", "has no equivalent; left out"),
    ("pids_limit", "is a setting of the kubelet; left out"),
    (
        "post_start",
        "left out; write it as lifecycle.postStart of the container",
    ),
    (
        "pre_stop",
        "left out; write it as lifecycle.preStop of the container",
    ),
    (
        "runtime",
        "left out; the cluster's name for it goes into runtimeClassName",
    ),
    (
        "stop_signal",
        "left out; the image says which signal stops it",
    ),
    ("storage_opt", "has no equivalent; left out"),
    ("ulimits", "is a setting of the node; left out"),
    ("use_api_socket", "has no equivalent; left out"),
    ("userns_mode", "has no equivalent; left out"),
    ("uts", "has no equivalent; left out"),
    (
        "volumes_from",
        "has no equivalent; left out (share a named volume)",
    ),
];

/// When a container is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Restart {
    /// Not said: like a server in a cluster.
    #[default]
    Unsaid,
    /// Always.
    Always,
    /// Never.
    Never,
    /// After a failure, so many times at most.
    OnFailure(Option<u32>),
}

/// How many pods there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mode {
    /// As many as `replicas` says.
    #[default]
    Replicated,
    /// One on each node.
    Global,
    /// As many as `replicas` says, until they are done.
    Job,
}

/// One service that this one needs.
#[derive(Clone, Debug)]
pub(super) struct Dependency {
    /// Its key in the compose file.
    pub(super) service: String,
    /// What is waited for.
    pub(super) condition: String,
    /// Whether it may be absent.
    pub(super) optional: bool,
    /// The place in the compose file.
    pub(super) path: String,
}

/// A service as it was read.
#[derive(Debug, Default)]
pub(super) struct Service {
    /// Its key in the compose file.
    pub(super) key: String,
    /// Its place in the compose file.
    pub(super) path: String,
    /// The name of its objects.
    pub(super) name: String,
    /// The kind of its workload; settled when all services are read.
    pub(super) kind: &'static str,
    /// The values of `weftctl.dev/depends-on`; settled likewise.
    pub(super) waits_for: Vec<String>,
    /// Fields of the container.
    pub(super) container: Map<String, Value>,
    /// Fields of the pod.
    pub(super) pod: Map<String, Value>,
    /// Fields of the container's security context.
    pub(super) security: Map<String, Value>,
    /// Fields of the pod's security context.
    pub(super) pod_security: Map<String, Value>,
    /// Limits of resources.
    pub(super) limits: Map<String, Value>,
    /// Requests for resources.
    pub(super) requests: Map<String, Value>,
    /// Labels of pod and workload.
    pub(super) labels: Map<String, Value>,
    /// Annotations of pod and workload.
    pub(super) annotations: Map<String, Value>,
    /// Labels of the workload only.
    pub(super) workload_labels: Map<String, Value>,
    /// Annotations of the workload only.
    pub(super) workload_annotations: Map<String, Value>,
    /// Its ports, published or not.
    pub(super) ports: Vec<Port>,
    /// Whether it uses the node's network.
    pub(super) host_network: bool,
    /// When it is started again.
    pub(super) restart: Restart,
    /// How many pods there are.
    pub(super) mode: Mode,
    /// How many replicas.
    pub(super) replicas: Option<u32>,
    /// What it needs.
    pub(super) needs: Vec<Dependency>,
    /// Its volumes.
    pub(super) mounts: Mounts,
    /// Its probes.
    pub(super) probes: Option<Probes>,
    /// Texts in which other services may be named, with their places.
    pub(super) mentions: Vec<(String, String)>,
    environment: Map<String, Value>,
    from_files: Map<String, Value>,
    built: bool,
}

impl Service {
    /// Says whether it is meant to have more than one pod.
    pub(super) fn has_many_pods(&self) -> bool {
        self.mode == Mode::Global || self.replicas.is_some_and(|replicas| replicas > 1)
    }
}

/// Reads a service.
pub(super) fn read(
    project: &Project<'_>,
    key: &str,
    name: String,
    fields: &Map<String, Value>,
    notes: &mut Notes,
) -> Result<Service, Error> {
    let mut reader = Reader {
        project,
        notes,
        service: Service {
            key: key.to_owned(),
            path: format!("services.{key}"),
            name,
            ..Service::default()
        },
    };
    for (key, value) in fields {
        reader.field(key, value)?;
    }
    reader.finish()
}

struct Reader<'a, 'p> {
    project: &'a Project<'p>,
    notes: &'a mut Notes,
    service: Service,
}

impl Reader<'_, '_> {
    fn field(&mut self, key: &str, value: &Value) -> Result<(), Error> {
        if key.starts_with("x-") || value.is_null() || matches!(key, "extends" | "profiles") {
            return Ok(());
        }
        let path = format!("{}.{key}", self.service.path);
        let known = self.process(key, &path, value)?
            || self.identity(key, &path, value)?
            || self.pod(key, &path, value)?
            || self.network(key, &path, value)?
            || self.resources(key, &path, value)?
            || self.storage(key, &path, value)?
            || self.scheduling(key, &path, value)?;
        if known {
            return Ok(());
        }
        let message = WITHOUT_EQUIVALENT
            .iter()
            .find(|(name, _)| *name == key)
            .map_or("not known here; left out", |(_, message)| *message);
        self.notes.add(path, message);
        Ok(())
    }

    /// What runs in the container.
    fn process(&mut self, key: &str, path: &str, value: &Value) -> Result<bool, Error> {
        match key {
            "image" => {
                let image = read::text(path, value)?;
                if !image.trim().is_empty() {
                    self.service.container.insert("image".into(), json!(image));
                }
            }
            "build" => self.service.built = true,
            "pull_policy" => {
                let policy = match read::text(path, value)?.as_str() {
                    "always" => "Always",
                    "never" => "Never",
                    "missing" | "if_not_present" => "IfNotPresent",
                    other => {
                        self.notes
                            .add(path, format!("'{other}' has no equivalent; left out"));
                        return Ok(true);
                    }
                };
                self.service
                    .container
                    .insert("imagePullPolicy".into(), json!(policy));
            }
            "entrypoint" => self.words("command", path, value)?,
            "command" => self.words("args", path, value)?,
            "environment" => self.environment(path, value)?,
            "env_file" => self.env_file(path, value)?,
            "working_dir" => {
                let folder = read::text(path, value)?;
                self.service
                    .container
                    .insert("workingDir".into(), json!(folder));
            }
            "stdin_open" | "tty" => {
                if read::flag(path, value)? {
                    let field = if key == "tty" { "tty" } else { "stdin" };
                    self.service.container.insert(field.into(), json!(true));
                }
            }
            "healthcheck" => self.service.probes = health::probes(path, value, self.notes)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn words(&mut self, field: &str, path: &str, value: &Value) -> Result<(), Error> {
        let words = match value {
            Value::Array(_) => read::texts(path, value)?,
            other => words::split(&read::text(path, other)?)
                .ok_or_else(|| read::invalid(path, "a command line with closed quotes", value))?,
        };
        if words.is_empty() {
            self.notes
                .add(path, "is empty; a pod cannot take away what the image runs");
            return Ok(());
        }
        for word in &words {
            self.service.mentions.push((path.to_owned(), word.clone()));
        }
        let words: Vec<_> = words
            .iter()
            .map(|word| words::escape_dollars(word))
            .collect();
        self.service.container.insert(field.into(), json!(words));
        Ok(())
    }

    fn environment(&mut self, path: &str, value: &Value) -> Result<(), Error> {
        for (name, value) in read::pairs(path, value)? {
            let path = format!("{path}.{name}");
            if value.is_boolean() || value.is_f64() {
                let text = read::text(&path, &value)?;
                self.notes
                    .add(&path, format!("was not quoted and is taken as {text}"));
            }
            let text = if value.is_null() {
                self.project.environment.get(&name).cloned()
            } else {
                Some(read::text(&path, &value)?)
            };
            match text {
                Some(text) => set_variable(
                    &mut self.service.environment,
                    &path,
                    &name,
                    text,
                    self.notes,
                ),
                None => self.notes.add(path, "has no value here; left out"),
            }
        }
        Ok(())
    }

    fn env_file(&mut self, path: &str, value: &Value) -> Result<(), Error> {
        let single = [value.clone()];
        let items = value.as_array().map_or(&single[..], Vec::as_slice);
        let mut scope: BTreeMap<String, String> = self.project.environment.clone();
        for item in items {
            let (file, required, raw) = match item {
                Value::Object(entries) => {
                    let file = entries
                        .get("path")
                        .ok_or_else(|| read::invalid(path, "an env file with a path", item))?;
                    let required = match entries.get("required") {
                        Some(value) => read::flag(path, value)?,
                        None => true,
                    };
                    let raw = entries.get("format").is_some_and(|format| format == "raw");
                    (read::text(path, file)?, required, raw)
                }
                other => (read::text(path, other)?, true, false),
            };
            let text = match self.project.file(path, &file) {
                Ok(text) => text,
                Err(_) if !required => {
                    self.notes
                        .add(path, format!("'{file}' is not there; left out"));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let lines = words::env_file(text, raw).map_err(|line| Error::Invalid {
                path: path.to_owned(),
                expected: "lines of NAME=value",
                value: format!("line {line} of '{file}'"),
            })?;
            for (name, value) in lines {
                let place = format!("{path}.{name}");
                let text = match value {
                    Some((text, Quoting::Open)) => {
                        Some(interpolate::text(&text, &place, &scope, self.notes)?)
                    }
                    Some((text, Quoting::Literal)) => Some(text),
                    None => self.project.environment.get(&name).cloned(),
                };
                let Some(text) = text else {
                    self.notes.add(place, "has no value here; left out");
                    continue;
                };
                scope.entry(name.clone()).or_insert_with(|| text.clone());
                set_variable(
                    &mut self.service.from_files,
                    &place,
                    &name,
                    text,
                    self.notes,
                );
            }
        }
        Ok(())
    }

    /// As whom and with which rights it runs, and what it is called.
    fn identity(&mut self, key: &str, path: &str, value: &Value) -> Result<bool, Error> {
        match key {
            "user" => self.user(path, &read::text(path, value)?),
            "group_add" => {
                let mut groups = Vec::new();
                for group in read::texts(path, value)? {
                    match group.parse::<u32>() {
                        Ok(id) => groups.push(id),
                        Err(_) => self.notes.add(
                            path,
                            format!(
                                "the group {group} is known to the image only; write its number"
                            ),
                        ),
                    }
                }
                if !groups.is_empty() {
                    self.service
                        .pod_security
                        .insert("supplementalGroups".into(), json!(groups));
                }
            }
            "privileged" => {
                if read::flag(path, value)? {
                    self.service
                        .security
                        .insert("privileged".into(), json!(true));
                }
            }
            "cap_add" | "cap_drop" => {
                let capabilities: Vec<String> = read::texts(path, value)?
                    .iter()
                    .map(|name| name.to_ascii_uppercase())
                    .map(|name| name.strip_prefix("CAP_").unwrap_or(&name).to_owned())
                    .collect();
                let list = if key == "cap_add" { "add" } else { "drop" };
                let entry = self
                    .service
                    .security
                    .entry("capabilities")
                    .or_insert_with(|| json!({}));
                entry[list] = json!(capabilities);
            }
            "read_only" => {
                if read::flag(path, value)? {
                    self.service
                        .security
                        .insert("readOnlyRootFilesystem".into(), json!(true));
                }
            }
            "security_opt" => {
                for option in read::texts(path, value)? {
                    self.security_option(path, &option);
                }
            }
            "labels" => mounts::sort_labels(
                path,
                value,
                &mut self.service.labels,
                &mut self.service.annotations,
                self.notes,
            )?,
            "annotations" => {
                for (name, value) in read::pairs(path, value)? {
                    let path = format!("{path}.{name}");
                    let text = read::scalar(&value).unwrap_or_default();
                    if words::is_label_key(&name) {
                        self.service.annotations.insert(name, json!(text));
                    } else {
                        self.notes
                            .add(path, "the key cannot be an annotation; left out");
                    }
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn user(&mut self, path: &str, text: &str) {
        let (user, group) = text
            .split_once(':')
            .map_or((text, None), |(user, group)| (user, Some(group)));
        let mut take = |field: &str, text: &str| match text
            .parse::<u32>()
            .ok()
            .filter(|id| i32::try_from(*id).is_ok())
        {
            Some(id) => {
                self.service.security.insert(field.into(), json!(id));
            }
            None => self.notes.add(
                path,
                format!("the name {text} is known to the image only; write its number"),
            ),
        };
        take("runAsUser", user);
        if let Some(group) = group {
            take("runAsGroup", group);
        }
    }

    fn security_option(&mut self, path: &str, option: &str) {
        let (name, argument) = option.split_once([':', '=']).unwrap_or((option, ""));
        match (name, argument) {
            ("no-new-privileges", "" | "true") => {
                self.service
                    .security
                    .insert("allowPrivilegeEscalation".into(), json!(false));
            }
            ("no-new-privileges", "false") => {}
            ("seccomp", "unconfined") => {
                self.service
                    .security
                    .insert("seccompProfile".into(), json!({"type": "Unconfined"}));
            }
            ("apparmor", "unconfined") => {
                self.service
                    .security
                    .insert("appArmorProfile".into(), json!({"type": "Unconfined"}));
            }
            _ => self.notes.add(
                path,
                format!("the option {option} has no equivalent; left out"),
            ),
        }
    }

    /// Settings of the pod.
    fn pod(&mut self, key: &str, path: &str, value: &Value) -> Result<bool, Error> {
        match key {
            "hostname" => {
                let name = read::text(path, value)?;
                if words::object_name(&name).as_deref() == Some(&name) {
                    self.service.pod.insert("hostname".into(), json!(name));
                } else {
                    self.notes
                        .add(path, format!("'{name}' is no DNS label; left out"));
                }
            }
            "pid" | "ipc" => match (key, read::text(path, value)?.as_str()) {
                ("pid", "host") => {
                    self.service.pod.insert("hostPID".into(), json!(true));
                }
                ("ipc", "host") => {
                    self.service.pod.insert("hostIPC".into(), json!(true));
                }
                ("ipc", "private" | "shareable") => {}
                (_, other) => {
                    self.notes
                        .add(path, format!("'{other}' has no equivalent; left out"));
                }
            },
            "sysctls" => {
                let mut sysctls = Vec::new();
                for (name, value) in read::pairs(path, value)? {
                    let text = read::text(&format!("{path}.{name}"), &value)?;
                    sysctls.push(json!({"name": name, "value": text}));
                }
                self.service
                    .pod_security
                    .insert("sysctls".into(), json!(sysctls));
            }
            "stop_grace_period" => {
                let seconds = read::scalar(value)
                    .and_then(|text| units::seconds(&text))
                    .ok_or_else(|| read::invalid(path, "a duration such as 1m30s", value))?;
                self.service
                    .pod
                    .insert("terminationGracePeriodSeconds".into(), json!(seconds));
            }
            "platform" => {
                let text = read::text(path, value)?;
                let mut parts = text.split('/');
                let system = parts.next().unwrap_or_default();
                self.select("kubernetes.io/os", system);
                if let Some(architecture) = parts.next() {
                    self.select("kubernetes.io/arch", architecture);
                }
                if let Some(variant) = parts.next() {
                    self.notes.add(
                        path,
                        format!("the variant {variant} has no equivalent; left out"),
                    );
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Asks for nodes with this label.
    fn select(&mut self, label: &str, value: &str) {
        let selector = self
            .service
            .pod
            .entry("nodeSelector")
            .or_insert_with(|| json!({}));
        selector[label] = json!(value);
    }

    /// Ports and names of the network.
    fn network(&mut self, key: &str, path: &str, value: &Value) -> Result<bool, Error> {
        match key {
            "ports" | "expose" => {
                let more = if key == "ports" {
                    ports::published(path, value, self.notes)?
                } else {
                    ports::exposed(path, value)?
                };
                if key == "ports" && !more.is_empty() {
                    self.notes.add(
                        path,
                        "reachable inside the cluster; outside needs an Ingress or a Service of type LoadBalancer",
                    );
                }
                self.service.ports.extend(more);
                if self.service.ports.len() > MOST_PORTS {
                    return Err(Error::TooManyPorts {
                        path: path.to_owned(),
                        limit: MOST_PORTS,
                    });
                }
            }
            "network_mode" => match read::text(path, value)?.as_str() {
                "host" => {
                    self.service.host_network = true;
                    self.service.pod.insert("hostNetwork".into(), json!(true));
                    self.service
                        .pod
                        .insert("dnsPolicy".into(), json!("ClusterFirstWithHostNet"));
                }
                "bridge" | "default" | "" => {}
                other => self
                    .notes
                    .add(path, format!("'{other}' has no equivalent; left out")),
            },
            "extra_hosts" => self.extra_hosts(path, value)?,
            "dns" | "dns_search" => {
                let list = if key == "dns" {
                    "nameservers"
                } else {
                    "searches"
                };
                let texts = read::texts(path, value)?;
                self.dns(list, json!(texts));
            }
            "dns_opt" => {
                let options: Vec<_> = read::texts(path, value)?
                    .iter()
                    .map(|option| match option.split_once(':') {
                        Some((name, value)) => json!({"name": name, "value": value}),
                        None => json!({"name": option}),
                    })
                    .collect();
                self.dns("options", json!(options));
            }
            "links" => {
                for link in read::texts(path, value)? {
                    let (service, alias) = link.split_once(':').unwrap_or((&link, &link));
                    if alias != service {
                        self.notes.add(
                            path,
                            format!("the alias {alias} has no equivalent; use the name {service}"),
                        );
                    }
                    self.need(service, "service_started", false, path);
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn dns(&mut self, list: &str, values: Value) {
        let config = self
            .service
            .pod
            .entry("dnsConfig")
            .or_insert_with(|| json!({}));
        config[list] = values;
    }

    fn extra_hosts(&mut self, path: &str, value: &Value) -> Result<(), Error> {
        let mut aliases: Vec<(String, Vec<String>)> = Vec::new();
        let mut pairs = Vec::new();
        match value {
            Value::Object(entries) => {
                for (host, addresses) in entries {
                    for address in read::texts(&format!("{path}.{host}"), addresses)? {
                        pairs.push((host.clone(), address));
                    }
                }
            }
            other => {
                for item in read::texts(path, other)? {
                    let (host, address) = item
                        .split_once('=')
                        .or_else(|| item.split_once(':'))
                        .ok_or_else(|| read::invalid(path, "host=address", &json!(item)))?;
                    pairs.push((host.to_owned(), address.to_owned()));
                }
            }
        }
        for (host, address) in pairs {
            let address = address
                .trim()
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned();
            let host = host.trim().to_owned();
            if address.parse::<std::net::IpAddr>().is_err() {
                self.notes.add(
                    path,
                    format!("{host} is no fixed address but {address}; left out"),
                );
                continue;
            }
            match aliases.iter_mut().find(|(other, _)| *other == address) {
                Some((_, hosts)) => hosts.push(host),
                None => aliases.push((address, vec![host])),
            }
        }
        let aliases: Vec<_> = aliases
            .into_iter()
            .map(|(address, hosts)| json!({"ip": address, "hostnames": hosts}))
            .collect();
        if !aliases.is_empty() {
            self.service
                .pod
                .insert("hostAliases".into(), json!(aliases));
        }
        Ok(())
    }

    /// How much it may take.
    fn resources(&mut self, key: &str, path: &str, value: &Value) -> Result<bool, Error> {
        match key {
            "mem_limit" => {
                if let Some(size) = size(path, value)? {
                    self.service.limits.entry("memory").or_insert(json!(size));
                }
            }
            "mem_reservation" => {
                if let Some(size) = size(path, value)? {
                    self.service.requests.entry("memory").or_insert(json!(size));
                }
            }
            "cpus" => {
                if let Some(share) = processors(path, value)? {
                    self.service.limits.entry("cpu").or_insert(json!(share));
                }
            }
            "deploy" => self.deploy(path, value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn deploy(&mut self, path: &str, value: &Value) -> Result<(), Error> {
        for (key, value) in read::mapping(path, value)? {
            if value.is_null() || key.starts_with("x-") {
                continue;
            }
            let path = format!("{path}.{key}");
            match key.as_str() {
                "replicas" => self.service.replicas = Some(read::count(&path, value)?),
                "mode" => {
                    self.service.mode = match read::text(&path, value)?.as_str() {
                        "replicated" | "" => Mode::Replicated,
                        "global" => Mode::Global,
                        "replicated-job" => Mode::Job,
                        "global-job" => {
                            self.notes.add(&path, "runs once, not once on each node");
                            Mode::Job
                        }
                        _ => return Err(read::invalid(&path, "replicated or global", value)),
                    };
                }
                "labels" => mounts::sort_labels(
                    &path,
                    value,
                    &mut self.service.workload_labels,
                    &mut self.service.workload_annotations,
                    self.notes,
                )?,
                "resources" => self.deploy_resources(&path, value)?,
                "restart_policy" => self.restart_policy(&path, value)?,
                "placement" => self.placement(&path, value)?,
                "endpoint_mode" if value == "vip" => {}
                "update_config" | "rollback_config" => {
                    self.notes
                        .add(path, "left out; the workload's own strategy decides");
                }
                "endpoint_mode" => self
                    .notes
                    .add(path, "left out; a Service has an address of its own"),
                _ => self.notes.add(path, "not known here; left out"),
            }
        }
        Ok(())
    }

    fn deploy_resources(&mut self, path: &str, value: &Value) -> Result<(), Error> {
        for (key, value) in read::mapping(path, value)? {
            let path = format!("{path}.{key}");
            let limits = match key.as_str() {
                _ if value.is_null() => continue,
                "limits" => true,
                "reservations" => false,
                _ => {
                    self.notes.add(path, "not known here; left out");
                    continue;
                }
            };
            for (key, value) in read::mapping(&path, value)? {
                let path = format!("{path}.{key}");
                let (field, amount) = match key.as_str() {
                    _ if value.is_null() => continue,
                    "cpus" => ("cpu", processors(&path, value)?),
                    "memory" => ("memory", size(&path, value)?),
                    "pids" => {
                        self.notes
                            .add(path, "is a setting of the kubelet; left out");
                        continue;
                    }
                    "devices" => {
                        self.notes.add(
                            path,
                            "left out; ask for the resource of the device plugin in use",
                        );
                        continue;
                    }
                    _ => {
                        self.notes.add(path, "has no equivalent; left out");
                        continue;
                    }
                };
                if let Some(amount) = amount {
                    let amounts = if limits {
                        &mut self.service.limits
                    } else {
                        &mut self.service.requests
                    };
                    amounts.insert(field.into(), json!(amount));
                }
            }
        }
        Ok(())
    }

    fn restart_policy(&mut self, path: &str, value: &Value) -> Result<(), Error> {
        let entries = read::mapping(path, value)?;
        let attempts = match entries.get("max_attempts") {
            None | Some(Value::Null) => None,
            Some(value) => Some(read::count(&format!("{path}.max_attempts"), value)?),
        };
        for (key, value) in entries {
            let path = format!("{path}.{key}");
            match key.as_str() {
                "condition" => {
                    self.service.restart = match value {
                        Value::Bool(false) => Restart::Never,
                        value => match read::text(&path, value)?.as_str() {
                            "none" => Restart::Never,
                            "on-failure" => Restart::OnFailure(attempts),
                            "any" | "" => Restart::Always,
                            _ => {
                                return Err(read::invalid(&path, "none, on-failure or any", value));
                            }
                        },
                    };
                }
                "max_attempts" => {
                    if entries
                        .get("condition")
                        .is_none_or(|value| value != "on-failure")
                    {
                        self.notes.add(
                            path,
                            "a workload starts its pods again without end; left out",
                        );
                    }
                }
                key if key.starts_with("x-") => {}
                _ => self
                    .notes
                    .add(path, "left out; the kubelet decides how long it waits"),
            }
        }
        Ok(())
    }

    fn placement(&mut self, path: &str, value: &Value) -> Result<(), Error> {
        for (key, value) in read::mapping(path, value)? {
            let path = format!("{path}.{key}");
            if key != "constraints" {
                self.notes.add(
                    path,
                    "left out; write it as affinity or topologySpreadConstraints",
                );
                continue;
            }
            for constraint in read::texts(&path, value)? {
                let pair = constraint
                    .split_once("==")
                    .map(|(name, value)| (name.trim(), value.trim()));
                match pair {
                    Some(("node.hostname", host)) => self.select("kubernetes.io/hostname", host),
                    Some(("node.platform.os", system)) => self.select("kubernetes.io/os", system),
                    Some((name, value)) => match name.strip_prefix("node.labels.") {
                        Some(label)
                            if words::is_label_key(label) && words::is_label_value(value) =>
                        {
                            self.select(label, value);
                        }
                        _ => self
                            .notes
                            .add(&path, format!("'{constraint}' has no equivalent; left out")),
                    },
                    None => self
                        .notes
                        .add(&path, format!("'{constraint}' has no equivalent; left out")),
                }
            }
        }
        Ok(())
    }

    /// What it finds in its file system.
    fn storage(&mut self, key: &str, path: &str, value: &Value) -> Result<bool, Error> {
        let Self {
            project,
            notes,
            service,
        } = self;
        let mounts = &mut service.mounts;
        match key {
            "volumes" => mounts.read(path, value, project, &service.name, notes)?,
            "tmpfs" => mounts.tmpfs(path, value, notes)?,
            "shm_size" => {
                let text = read::text(path, value)?;
                let size = units::bytes(&text)
                    .ok_or_else(|| read::invalid(path, "a size such as 64m", value))?;
                mounts.memory(path, "/dev/shm", Some(size).filter(|size| *size > 0), notes)?;
            }
            "secrets" => mounts.grants(path, value, "secret", project, notes)?,
            "configs" => mounts.grants(path, value, "config", project, notes)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// When it runs, and how often.
    fn scheduling(&mut self, key: &str, path: &str, value: &Value) -> Result<bool, Error> {
        match key {
            "restart" => {
                // deploy.restart_policy counts more, wherever it stands.
                if self.service.restart == Restart::Unsaid {
                    self.service.restart = restart(path, value)?;
                }
            }
            "scale" => {
                let replicas = read::count(path, value)?;
                self.service.replicas.get_or_insert(replicas);
            }
            "depends_on" => self.depends_on(path, value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn depends_on(&mut self, path: &str, value: &Value) -> Result<(), Error> {
        let Value::Object(entries) = value else {
            for service in read::texts(path, value)? {
                self.need(&service, "service_started", false, path);
            }
            return Ok(());
        };
        for (service, value) in entries {
            let path = format!("{path}.{service}");
            let mut condition = "service_started".to_owned();
            let mut optional = false;
            let none = Map::new();
            let fields = if value.is_null() {
                &none
            } else {
                read::mapping(&path, value)?
            };
            for (key, value) in fields {
                let path = format!("{path}.{key}");
                match key.as_str() {
                    "condition" => condition = read::text(&path, value)?,
                    "required" => optional = !read::flag(&path, value)?,
                    "restart" => {
                        if read::flag(&path, value)? {
                            self.notes.add(path, "has no equivalent; left out");
                        }
                    }
                    key if key.starts_with("x-") => {}
                    _ => self.notes.add(path, "not known here; left out"),
                }
            }
            self.need(service, &condition, optional, &path);
        }
        Ok(())
    }

    fn need(&mut self, service: &str, condition: &str, optional: bool, path: &str) {
        if self
            .service
            .needs
            .iter()
            .any(|need| need.service == service)
        {
            return;
        }
        self.service.needs.push(Dependency {
            service: service.to_owned(),
            condition: condition.to_owned(),
            optional,
            path: path.to_owned(),
        });
    }

    /// Joins what several keys decide together.
    fn finish(mut self) -> Result<Service, Error> {
        let path = self.service.path.clone();
        if !self.service.container.contains_key("image") {
            if !self.service.built {
                return Err(Error::NoImage {
                    service: self.service.key,
                });
            }
            let name = self.service.name.clone();
            self.notes.add(
                format!("{path}.build"),
                format!("nothing is built; the image is assumed to be named {name}"),
            );
            self.service.container.insert("image".into(), json!(name));
        } else if self.service.built {
            self.notes.add(
                format!("{path}.build"),
                "nothing is built; the image must be in a registry",
            );
        }
        let mut variables = std::mem::take(&mut self.service.from_files);
        variables.extend(std::mem::take(&mut self.service.environment));
        let mut list = Vec::new();
        for (name, value) in variables {
            let text = value.as_str().unwrap_or_default();
            let place = format!("{path}.environment.{name}");
            self.service.mentions.push((place, text.to_owned()));
            list.push(json!({"name": name, "value": words::escape_dollars(text)}));
        }
        if !list.is_empty() {
            self.service
                .container
                .insert("env".into(), Value::Array(list));
        }
        let security = &mut self.service.security;
        let powerful = security.contains_key("privileged")
            || security
                .get("capabilities")
                .and_then(|all| all["add"].as_array())
                .is_some_and(|added| added.iter().any(|name| name == "SYS_ADMIN"));
        if powerful && security.remove("allowPrivilegeEscalation").is_some() {
            self.notes.add(
                format!("{path}.security_opt"),
                "Kubernetes refuses no-new-privileges together with such rights; left out",
            );
        }
        Ok(self.service)
    }
}

/// Reads a `restart`. YAML readers may take `no` for a truth value.
fn restart(path: &str, value: &Value) -> Result<Restart, Error> {
    if value == &Value::Bool(false) {
        return Ok(Restart::Never);
    }
    let text = read::text(path, value)?;
    let error = || read::invalid(path, "no, always, on-failure or unless-stopped", value);
    Ok(match text.split_once(':') {
        Some(("on-failure", times)) => Restart::OnFailure(Some(
            times
                .parse()
                .ok()
                .filter(|times| i32::try_from(*times).is_ok())
                .ok_or_else(error)?,
        )),
        Some(_) => return Err(error()),
        None => match text.as_str() {
            "" => Restart::Unsaid,
            "no" => Restart::Never,
            "always" | "unless-stopped" => Restart::Always,
            "on-failure" => Restart::OnFailure(None),
            _ => return Err(error()),
        },
    })
}

fn set_variable(
    variables: &mut Map<String, Value>,
    path: &str,
    name: &str,
    text: String,
    notes: &mut Notes,
) {
    if name.is_empty() || !name.chars().all(|c| (' '..='~').contains(&c) && c != '=') {
        notes.add(path, "no container accepts such a name; left out");
    } else if text.contains('\0') {
        notes.add(path, "no container accepts a zero byte; left out");
    } else {
        variables.insert(name.to_owned(), Value::String(text));
    }
}

/// Reads a size; zero means no limit.
fn size(path: &str, value: &Value) -> Result<Option<String>, Error> {
    let bytes = read::scalar(value)
        .and_then(|text| units::bytes(&text))
        .ok_or_else(|| read::invalid(path, "a size such as 512m", value))?;
    Ok((bytes > 0).then(|| units::quantity(bytes)))
}

/// Reads a number of processors; zero means no limit.
fn processors(path: &str, value: &Value) -> Result<Option<String>, Error> {
    let share = read::scalar(value)
        .and_then(|text| units::processors(&text))
        .ok_or_else(|| read::invalid(path, "a number of processors such as 0.5", value))?;
    Ok((share != "0").then_some(share))
}
