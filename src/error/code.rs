//! The table of error codes: never reused, explained offline, each with its exit code.

use serde::{Deserialize, Serialize};

/// What sort of failure it is: one kind per exit code (`cli-conventions` §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Exit 1: failure without a finer code.
    Failure,
    /// Exit 2: unknown flag, bad value, bad combination, missing choice.
    Usage,
    /// Exit 3: a check that could not tell.
    Unknown,
    /// Exit 4: not authenticated or not permitted.
    Denied,
    /// Exit 5: the named thing is not there.
    NotFound,
    /// Exit 6: owned by another, exists already, changed meanwhile, locked.
    Conflict,
    /// Exit 7: a wait ended at its deadline.
    Timeout,
    /// Exit 8: remote unreachable after bounded retries.
    Unavailable,
    /// Exit 9: part of it is done and saved.
    Partial,
    /// Exit 10: input malformed, unsafe or over a limit.
    Input,
    /// Exit 11: refused by a policy or a signature check.
    Refused,
    /// Exit 12: confirmation needed but not given.
    Unconfirmed,
    /// Exit 70: a bug.
    Internal,
    /// Exit 130: SIGINT.
    Interrupted,
    /// Exit 143: SIGTERM.
    Terminated,
}

impl Kind {
    /// All kinds with their exit code and meaning, as `weftctl help exit-codes` prints them.
    pub const ALL: [(Kind, i32, &'static str); 15] = [
        (
            Kind::Failure,
            1,
            "the answer is \"no\" (predicate commands); failure without a finer code",
        ),
        (
            Kind::Usage,
            2,
            "usage error: unknown flag, bad value, bad combination, missing choice",
        ),
        (Kind::Unknown, 3, "a predicate command could not tell"),
        (Kind::Denied, 4, "not authenticated, or not permitted"),
        (Kind::NotFound, 5, "the named thing is not there"),
        (
            Kind::Conflict,
            6,
            "owned by another, exists already, changed meanwhile, or locked",
        ),
        (
            Kind::Timeout,
            7,
            "timed out while waiting; blockers are listed",
        ),
        (
            Kind::Unavailable,
            8,
            "remote unreachable or unavailable after bounded retries",
        ),
        (
            Kind::Partial,
            9,
            "partial success; state is saved, a rerun resumes",
        ),
        (
            Kind::Input,
            10,
            "input refused: malformed, unsafe or over a limit",
        ),
        (
            Kind::Refused,
            11,
            "refused by a policy or a failed signature check",
        ),
        (Kind::Unconfirmed, 12, "confirmation needed but not given"),
        (Kind::Internal, 70, "internal error (a bug)"),
        (Kind::Interrupted, 130, "interrupted by SIGINT"),
        (Kind::Terminated, 143, "interrupted by SIGTERM"),
    ];

    /// The process exit code.
    pub fn exit_code(self) -> i32 {
        Self::ALL
            .iter()
            .find(|row| row.0 == self)
            .map_or(70, |row| row.1)
    }

    /// The kind of an exit code; what nobody knows is a failure.
    pub fn from_exit_code(code: i32) -> Self {
        Self::ALL
            .iter()
            .find(|row| row.1 == code)
            .map_or(Self::Failure, |row| row.0)
    }

    /// Which of several errors decides the exit code: the lowest.
    pub(super) fn precedence(self) -> usize {
        const ORDER: [i32; 15] = [70, 130, 143, 2, 4, 11, 10, 6, 5, 7, 8, 9, 12, 3, 1];
        let code = self.exit_code();
        ORDER.iter().position(|c| *c == code).unwrap_or(ORDER.len())
    }
}

/// What `weftctl explain` says of a code.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The number behind the `E`.
    pub number: u16,
    /// The exit code's kind.
    pub kind: Kind,
    /// Whether the same call may succeed later.
    pub retryable: bool,
    /// One line.
    pub title: &'static str,
    /// A few sentences.
    pub text: &'static str,
    /// What to type or change.
    pub hint: &'static str,
    /// A command line or input that meets it, or the way out.
    pub example: &'static str,
}

macro_rules! codes {
    ($($number:literal $name:ident $kind:ident $(($retry:ident))? : $title:literal, $text:literal, $hint:literal, $example:literal;)+) => {
        /// A stable error code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
        pub enum Code {
            $(#[doc = $title] $name,)+
        }

        impl Code {
            /// Every code, by number.
            pub const ALL: &'static [Code] = &[$(Code::$name,)+];

            /// Everything that is known of the code.
            pub fn entry(self) -> Entry {
                match self {
                    $(Code::$name => Entry {
                        number: $number,
                        kind: Kind::$kind,
                        retryable: false $(|| { let $retry = true; $retry })?,
                        title: $title,
                        text: $text,
                        hint: $hint,
                        example: $example,
                    },)+
                }
            }
        }
    };
}

codes! {
    1 Internal Internal: "internal error",
        "The program met a state that its own checks had ruled out. Nothing that you did is at fault.",
        "report it with the command line and this message: the output holds no secrets",
        "weftctl version -o json   # belongs into the report";
    2 Usage Usage: "the command line is wrong",
        "A flag or argument is unknown, missing, repeated, or doesn't go with another one.",
        "add --help to the command to see what it takes",
        "weftctl design list --help";
    3 Failed Failure: "the operation failed",
        "The operation ended without success and without a finer code. The causes say why.",
        "the cause says what to mend; then run the command again",
        "weftctl system logs";
    4 CodeUnknown NotFound: "no such error code, schema or topic",
        "The name isn't in the list that this version ships.",
        "list what is there: weftctl explain, weftctl schema list, weftctl help",
        "weftctl explain E0100";
    5 ConfirmationNeeded Unconfirmed: "confirmation needed",
        "The command would destroy or overwrite something, and nobody could be asked, or the answer was no. Nothing was changed.",
        "look at the plan, then confirm it: with --yes, or with --confirm NAME where the command asks for a name",
        "weftctl design delete shop --yes";
    6 Interrupted Interrupted: "interrupted",
        "Ctrl-C or SIGINT ended the command. What was finished is saved; run the command again to go on.",
        "run the command again",
        "weftctl design import shop.yaml";
    7 Terminated Terminated: "terminated",
        "SIGTERM ended the command. What was finished is saved; run the command again to go on.",
        "run the command again",
        "weftctl system start";
    8 OutputFailed Failure: "the output could not be written",
        "Writing to standard output failed, for example because the disk is full. What was printed is incomplete.",
        "free space, or write somewhere else",
        "weftctl design list -o json > /mnt/elsewhere/designs.json";
    9 TimedOut Timeout (retryable): "a deadline passed",
        "The work wasn't done when its deadline passed.",
        "raise --request-timeout, or find out what holds it up",
        "weftctl design import https://example.org/shop.yaml --request-timeout 5m";

    100 NotYaml Input: "the input is not YAML or JSON",
        "The parser stopped at the given position. Typical reasons are a tab in the indentation, an unclosed quote or bracket, or a text that is no YAML at all.",
        "mend the text at that position",
        "weftctl design validate shop.yaml";
    101 DuplicateKey Input: "a key stands twice in one mapping",
        "YAML forbids it, and programs disagree about which of the two values counts, so none is chosen.",
        "remove one of the two",
        "weftctl design validate shop.yaml";
    102 OverLimit Input: "the input is over a limit",
        "Inputs are bounded in size, number of documents, nodes, depth and files, so that a hostile or mistaken one cannot take all memory.",
        "split the input; if it is yours and sound, raise the limit that the message names",
        "weftctl help limits";
    103 BadEncoding Input: "the input is not text in UTF-8",
        "Files must be UTF-8, or UTF-16 with a byte order mark.",
        "convert it: iconv -f ISO-8859-1 -t UTF-8 FILE",
        "iconv -f ISO-8859-1 -t UTF-8 shop.yaml | weftctl design import - --name shop";
    104 Unreadable Input: "a file cannot be read",
        "The file is there, but reading it failed, or it is a device, a pipe or a link that leads out of its folder.",
        "check its permissions: ls -l FILE",
        "weftctl design import ./shop";
    105 SourceNotFound NotFound: "no such file or folder",
        "The path doesn't exist. An argument with a slash or a file extension is a path; anything else is the name of a stored design.",
        "check the spelling, or list the stored designs: weftctl design list",
        "weftctl design view ./shop.yaml";
    106 NothingThere Input: "the source holds no document",
        "Only empty documents, comments, or no file of a kind that is read (.yaml, .yml, .json).",
        "name the file or folder that holds the manifests",
        "weftctl design import ./deploy";
    107 DuplicateResource Input: "two resources have one identity",
        "Two documents describe the same object: same group, kind, namespace and name. Only one of them could exist.",
        "rename or remove one of the two",
        "weftctl design validate shop.yaml";
    108 NotAResource Input: "a document is no Kubernetes object and no design",
        "Every document needs apiVersion, kind and metadata.name, or must be a design, a Compose file or a chart.",
        "add what is missing",
        "weftctl design import shop.yaml";
    109 BadName Input: "a name that Kubernetes refuses",
        "Names are lower-case letters, digits, '-' and (for most kinds) '.', at most 253 characters, Services at most 63.",
        "choose another name",
        "weftctl design validate shop.yaml";
    110 BadAnnotation Input: "an annotation of ours has a value that isn't allowed",
        "The annotations weftctl.dev/… steer how a resource is applied; the message lists the values.",
        "use one of the values listed",
        "weftctl.dev/deletion-policy: Retain";
    111 Cycle Input: "explicit dependencies form a cycle",
        "Each resource of the cycle waits for the next one, so none could be first.",
        "remove one of the dependencies named",
        "weftctl.dev/depends-on: Job/migrate";
    112 UnsafeArchive Input: "an archive is unsafe or damaged",
        "An entry leaves the archive's folder, is a link or device, or the data is truncated or larger than allowed.",
        "make the archive anew from trusted files",
        "tar -czf shop.tgz shop/";
    113 BadDesign Input: "a design file is malformed",
        "A field of the design has the wrong type, or its schemaVersion isn't one that is known.",
        "mend the field at that position",
        "schemaVersion: designs.meshery.io/v1beta3";
    114 BadCompose Input: "a Compose file cannot be converted",
        "A service of the Compose file has a value that has no meaning in Kubernetes or is malformed.",
        "mend the value at that path",
        "weftctl design import compose.yaml";
    115 Invalid Input: "the design is not valid",
        "One or more resources don't fit their schema, so a deploy would fail. Nothing was changed.",
        "mend the fields listed; to see them again: weftctl design validate FILE",
        "weftctl design validate shop.yaml";
    116 UnknownKind Input: "a kind that nobody knows",
        "Neither the built-in Kubernetes model, nor a CustomResourceDefinition of the design, nor --schema-dir knows the kind.",
        "check the spelling, or give its CRD with --schema-dir",
        "weftctl design validate shop.yaml --schema-dir ./crds";
    117 BadModel Input: "a model file is malformed",
        "The model archive is damaged or was written by a newer version.",
        "generate it again",
        "weftctl model generate kubernetes --context dev --to dev.model.gz";
    118 BadDependency Input: "a dependency that is not there",
        "An annotation weftctl.dev/depends-on names a resource that the design doesn't hold.",
        "name a resource of the design as Kind/name or group/Kind/namespace/name",
        "weftctl.dev/depends-on: Job/migrate";

    120 RedirectRefused Input: "a redirect is refused",
        "The URL leads to another scheme, or through more than five redirects.",
        "name the final URL",
        "weftctl design import https://example.org/shop.yaml";
    121 Unreachable Unavailable (retryable): "a remote host cannot be reached",
        "No connection, no TLS, or no answer in time, after bounded retries.",
        "check the address and the network, then try again",
        "weftctl design import https://example.org/shop.yaml";
    122 RemoteRefused Failure: "a remote host answered with an error",
        "The server answered, but not with what was asked for.",
        "open the address by hand to see what it answers",
        "weftctl design import https://example.org/shop.yaml";
    123 RemoteLied Unavailable (retryable): "an answer ended before or after its announced length",
        "The body doesn't have the length that the server announced, so it can't be trusted.",
        "try again; if it stays, the server or a proxy between is broken",
        "weftctl design import https://example.org/shop.yaml";
    124 RemoteNotFound NotFound: "a URL answers 404",
        "The server knows no such document.",
        "check the address",
        "weftctl design import https://example.org/shop.yaml";
    125 RemoteDenied Denied: "a URL needs credentials",
        "The server answered 401 or 403.",
        "download the file with your credentials and import it from there",
        "weftctl design import ./downloaded.yaml";
    130 ToolMissing Failure: "a program that is needed isn't there",
        "Helm charts are rendered by helm, kustomizations by kubectl or kustomize; neither is on the PATH.",
        "install it, and make sure that it is on the PATH",
        "helm version";
    131 ToolFailed Input: "a program that renders the source failed",
        "The chart or kustomization could not be rendered; the cause is what the program said.",
        "run it by hand: helm template NAME CHART, or kubectl kustomize FOLDER",
        "helm template shop ./chart";
    140 BadOverlay Input: "an overlay is malformed or doesn't fit the design",
        "A patch can't be read, or says something of an object that it isn't so. Nothing is applied then, and all that is wrong is listed with its line.",
        "compare the patch with the objects: weftctl design render NAME",
        "overlays/staging/web.yaml";
    141 BadValues Input: "values don't fit the design",
        "A design names its values, with defaults, in its section values or in values.yaml beside its manifests; only these can be given, and in the same shape.",
        "give the names and shapes that the design has",
        "weftctl design render shop --values staging.yaml";

    200 DesignNotFound NotFound: "no such design",
        "No stored design has this name, id, or beginning of an id.",
        "list them: weftctl design list",
        "weftctl design view shop";
    201 VersionNotFound NotFound: "no such version of the design",
        "The design is there, the version isn't.",
        "list them: weftctl design view NAME -o wide",
        "weftctl design view shop --version 0.0.2";
    202 Ambiguous Usage: "several things fit the name",
        "The beginning of an id fits more than one; the candidates are listed.",
        "type the name or more of the id",
        "weftctl design view 3f2a91";
    203 OperationNotFound NotFound: "no such operation",
        "The server knows no operation of this id: the newest 1,000 are kept.",
        "list them: weftctl system operation list",
        "weftctl system operation list";

    204 Overtaken Conflict (retryable): "another import was quicker",
        "Between reading the store and writing to it, another import took the version or the id, with other content. Nothing was changed.",
        "run the command again: it then gets the next version",
        "weftctl design import shop.yaml";
    205 OverlayNotFound NotFound: "no such overlay",
        "The design has no overlay of this name, neither in its section overlays nor in the folder overlays/NAME.",
        "see what the design has: weftctl design view NAME -o yaml",
        "weftctl design render shop --overlay staging";
    206 ValueMissing Usage: "a value is not given",
        "The design leaves this value open: it is null in the section values, so it must be given.",
        "give it with --set NAME=VALUE, or in a file with --values FILE",
        "weftctl design render shop --set image.tag=1.4.2";

    300 StoreFailed Failure: "the store could not be used",
        "Opening, reading or writing the database failed; nothing was changed.",
        "check it: weftctl system store check",
        "weftctl system store check";
    301 StoreNewer Failure: "the store was written by a newer version",
        "An older program can't know what a newer one stored, so it was left untouched.",
        "use the newer weftctl, or another WEFT_HOME",
        "WEFT_HOME=/tmp/weft weftctl design list";
    302 StoreFull Failure: "the disk is full",
        "The write was undone; what was stored before is intact.",
        "free space, then run the command again",
        "df -h ~/.local/share/weft";
    303 StoreReadOnly Denied: "the store can't be written",
        "The file or its folder is read-only for this user.",
        "check the owner and mode of the folder, or set WEFT_HOME",
        "ls -ld ~/.local/share/weft";
    304 StoreBusy Conflict (retryable): "the store is locked by another process",
        "Another process held the lock longer than the time-out.",
        "wait for the other process to end, then try again",
        "weftctl system status";
    305 StoreDamaged Failure: "the store is damaged",
        "The file isn't a sound database any more. It was left untouched.",
        "save what can be saved: weftctl system store recover",
        "weftctl system store recover";
    306 KeyMissing Denied: "the key of the store is missing or unsafe",
        "Secret values in the store are encrypted with a key in a file of its own. It is missing, isn't the right one, or others may read it.",
        "put the key file back, or make it private: chmod 600 FILE",
        "chmod 600 ~/.local/share/weft/store.key";
    307 BackupExists Conflict: "the backup file exists already",
        "A backup never overwrites a file by itself.",
        "choose another name, or add --force",
        "weftctl system store backup --to weft-backup.db";

    400 ServerUnreachable Unavailable (retryable): "the weftctl server cannot be reached",
        "Nothing answers at the address, or it isn't a weftctl server.",
        "see whether it runs: weftctl system status",
        "weftctl system start";
    401 TokenRefused Denied: "the server refuses the token",
        "Each start of a server makes a new token, in a file that only its user may read.",
        "give the server's token with --token-file",
        "weftctl design list --server http://127.0.0.1:9081 --token-file ./token";
    402 HostRefused Denied: "the server refuses the Host or Origin of the request",
        "A request must name the server by the address that it listens on; web pages of other origins are refused.",
        "call the server by its own address: weftctl system status",
        "weftctl design list --server http://127.0.0.1:9081";
    403 AlreadyRunning Conflict: "a server runs already",
        "One server per user and state folder.",
        "use it, or stop it: weftctl system stop",
        "weftctl system stop";
    404 NotRunning NotFound: "no server runs",
        "No server of this user and state folder is running.",
        "start one: weftctl system start",
        "weftctl system start";
    405 ListenRefused Usage: "the server may only listen on loopback",
        "Without TLS and user accounts, listening elsewhere would give the store to the network.",
        "choose a loopback address",
        "weftctl system start --listen 127.0.0.1:9081";
    406 ListenFailed Conflict: "the server cannot listen at its address",
        "The port is taken, or the address doesn't exist here.",
        "choose another port",
        "weftctl system start --listen 127.0.0.1:0";
    407 RequestMalformed Input: "the server cannot read the request",
        "The path, query or body isn't what the endpoint takes.",
        "use one version on both sides: weftctl version",
        "weftctl version --server http://127.0.0.1:9081";
    408 RouteNotFound NotFound: "the server has no such endpoint",
        "The path is unknown to this version of the server.",
        "use one version on both sides: weftctl version",
        "weftctl version --server http://127.0.0.1:9081";

    500 ClusterUnreachable Unavailable (retryable): "the cluster cannot be reached",
        "The API server of the context doesn't answer.",
        "check the context: kubectl --context NAME version",
        "weftctl model generate kubernetes --context dev --to dev.model.gz";
    501 ClusterDenied Denied: "the cluster refuses the credentials",
        "The API server answered 401 or 403.",
        "check the credentials of the context",
        "kubectl --context dev auth whoami";
    502 ContextNotFound NotFound: "no such context",
        "Neither the kubeconfig nor the named server contexts hold it.",
        "list them: weftctl system context list, kubectl config get-contexts",
        "weftctl design validate shop.yaml --context dev";
    503 KubeconfigBad Input: "the kubeconfig cannot be used",
        "The file is missing, malformed or refers to files that can't be read.",
        "check it: kubectl config view",
        "weftctl design validate shop.yaml --kubeconfig ./kubeconfig --context dev";
    504 ClusterAnswer Failure: "the cluster answered with an error",
        "The API server answered, but not with what was asked for.",
        "the cause quotes the answer",
        "weftctl model generate kubernetes --context dev --to dev.model.gz";

    510 OwnedBySet Conflict: "an object belongs to another set",
        "The object carries the part-of label of another set. Two designs that write one object would take its fields from each other, so this is refused whatever is forced.",
        "undeploy or release it there first, or rename the object here",
        "weftctl design release other-design --yes";
    511 NotOurs Conflict: "an object exists that is not ours",
        "An object of that name is in the cluster, and was not written by this design. Nothing was changed.",
        "take it over with --adopt, or rename the object",
        "weftctl design deploy shop --adopt";
    512 Immutable Conflict: "a field cannot be changed",
        "Kubernetes does not let this field change once the object exists. Nothing was changed.",
        "delete and create it anew with --replace, or leave the field as it is",
        "weftctl design deploy shop --replace";
    513 FieldConflict Conflict: "a field is owned by another manager",
        "Another field manager holds the field with another value (server-side apply).",
        "drop the field from the design, or take it over with --force-conflicts",
        "weftctl design deploy shop --force-conflicts";
    514 PlanChanged Conflict (retryable): "the cluster has changed since the plan was shown",
        "What would be done now is not what was shown, so nothing was done.",
        "look at the plan again, and run the command again",
        "weftctl design plan shop";
    515 SetLocked Conflict (retryable): "another run works on the set",
        "A lease in the cluster keeps two runs from interleaving. It ends by itself when its holder dies.",
        "wait for the other run to end",
        "weftctl design status shop";
    516 ForeignSet Conflict: "what the cluster keeps of the set cannot be used",
        "The inventory or a revision in the cluster was written by another tool, by a newer version, or is damaged.",
        "look at the object that is named; move it away if nothing needs it",
        "weftctl design status shop";
    517 SetNotFound NotFound: "the design is not deployed there",
        "The cluster keeps no inventory of a design of that name in that namespace.",
        "name its namespace with -n, or deploy it",
        "weftctl design deploy shop";
    518 NotReady Timeout: "something is not ready",
        "What was written did not become ready in time, or has failed. The reasons stand beside each object.",
        "mend what the object waits for, then run the command again",
        "weftctl design status shop";
    519 NotGone Timeout: "something was not gone in time",
        "A deleted object is still there, because finalizers or dependents hold it.",
        "let whoever owns the finalizer finish, then run the command again",
        "weftctl design undeploy shop --yes";
    520 ObjectNotFound NotFound: "an object is not there",
        "The object was not found in the cluster.",
        "look what there is, and run the command again",
        "weftctl design status shop";
    521 ObjectRefused Input: "the API server refuses an object",
        "The object breaks the rules of its kind, or an admission webhook or policy denied it.",
        "mend what the message names",
        "weftctl design validate shop";
    522 Partial Partial: "a part of it is done",
        "Some objects are as they should be and others are not; what was done is recorded, and a rerun goes on from there.",
        "mend what failed, then run the command again",
        "weftctl design deploy shop";
    523 WebhookFailed Unavailable (retryable): "an admission webhook cannot be called",
        "The API server has to ask a webhook before it takes the object, and got no answer from it.",
        "look after the pods behind the webhook that is named",
        "weftctl design status shop";
    524 NotAllowed Denied: "the cluster does not allow what the plan needs",
        "An access review of the API server says no to something that the plan has to do. Nothing was changed.",
        "ask for the rights that are named, or deploy as somebody else",
        "kubectl auth can-i --list -n shop";
    525 QuotaExceeded Conflict: "a quota has no room for the objects",
        "A ResourceQuota of the namespace counts objects of that kind and would refuse some of the new ones. Nothing was changed.",
        "raise the quota, or remove objects that nobody needs",
        "kubectl describe resourcequota -n shop";
    526 NamespaceMissing NotFound: "a namespace is not there",
        "Objects of the design go to a namespace that neither exists nor comes with the design. Nothing was changed.",
        "create the namespace, or add it to the design",
        "kubectl create namespace shop";
    600 ConfigBad Input: "a configuration file is malformed",
        "A key is unknown, has the wrong type, or may not stand in this file.",
        "mend the file at that position",
        "weftctl config view --show-origin";
    601 ContextExists Conflict: "a context of that name exists",
        "Names of contexts are unique.",
        "choose another name, or delete the old one: weftctl system context delete NAME",
        "weftctl system context create staging --url http://127.0.0.1:9081";
    602 FileExists Conflict: "a file that would be overwritten exists",
        "Files are never overwritten without being told to.",
        "choose another place, or add --force",
        "weftctl design export shop --to ./shop --force";
    603 FileNotWritten Failure: "a file could not be written",
        "Writing failed; nothing half-written was left.",
        "check space and permissions of the folder",
        "weftctl design export shop --to ./shop";
    604 SecretsInside Refused: "the design holds secrets",
        "Publishing would put the values of Secrets into a file in plain text.",
        "add --include-secrets if that is what you want",
        "weftctl design export shop --to ./shop --include-secrets";
    605 ConfigLocked Conflict (retryable): "the configuration is locked by another process",
        "Another process held the lock beside the configuration file longer than a change takes.",
        "end the other process, then run the command again",
        "fuser -v ~/.config/weft/.config.lock";

    700 DatabaseUnreachable Unavailable (retryable): "a database cannot be reached",
        "Nothing answers at the address of the hub, or the connection broke off before the last row. What was read until then doesn't count.",
        "check host and port of the hub, and whether the database runs",
        "weftctl tenant test-connection hub.yaml";
    701 DatabaseUntrusted Unavailable: "a database isn't protected as the hub demands",
        "The server has no TLS, its certificate isn't of the hub's authority or not for its host, it refuses our certificate, or it wants the password in clear text. Nothing was sent to it.",
        "check sslMode, sslRootCertRef and the host name in the certificate",
        "openssl s_client -starttls postgres -connect db:5432 -showcerts";
    702 DatabaseDenied Denied: "a database refuses the user",
        "The password or the certificate is wrong, or the user may not read the table.",
        "check username and passwordRef of the hub, and what the user may read",
        "GRANT SELECT ON tenants TO reader";
    703 TableNotFound NotFound: "a database or table isn't there",
        "The server is there and lets the user in, but has no database, table or view of that name, or doesn't show it to the user.",
        "check database, schema and table of the hub; names are taken as they are, in upper and lower case",
        "weftctl tenant test-connection hub.yaml";
    704 ColumnNotFound NotFound: "a mapped column isn't there",
        "The hub maps a column that the table doesn't have. Nothing is read then.",
        "see which columns there are: weftctl tenant test-connection HUB",
        "weftctl tenant test-connection hub.yaml";
    705 QueryTimedOut Timeout (retryable): "a database took too long",
        "The last row had not come when the time limit of the hub passed. What was read until then doesn't count.",
        "raise queryTimeout of the hub, or add an index",
        "queryTimeout: 2m";
    706 DatabaseRefused Failure: "a database refuses to be read",
        "The server answered with an error of its own, which the cause quotes.",
        "the cause says what to mend; a view that fails is mended in the database",
        "weftctl tenant test-connection hub.yaml -v";
    707 BadHub Input: "a hub is malformed",
        "A field of the hub is unknown, missing, or has a value that it can't have.",
        "mend the field at that position",
        "weftctl tenant test-connection hub.yaml";
    708 CredentialMissing Denied: "a credential isn't there",
        "The hub refers to a key of a Secret, a file, or an environment variable that doesn't exist.",
        "check passwordRef and the other references of the hub",
        "kubectl get secret db -o jsonpath={.data}";
    709 CredentialUnusable Input: "a credential cannot be used",
        "It isn't text, or no certificate or key in PEM.",
        "check what the reference of the hub points to",
        "openssl x509 -in ca.pem -noout -subject";
    710 BadForm Input: "a form is malformed",
        "A field of the form is unknown, missing, has a value that it can't have, or is no template. What there is of its rows stays as it is.",
        "mend the field at that position",
        "weftctl tenant render ./crm";
    711 BadRow Input: "a row cannot be used",
        "It has no uid or that of another row, a cell that is no text, or its objects can't be made of it. What there is of it stays as it is; other rows go on.",
        "mend the row, or the entry of the form that is named",
        "weftctl tenant render ./crm --row acme";
    712 TooManyGone Unconfirmed: "too many rows would lose their objects",
        "Far fewer rows count than there are objects of. That may be meant, or be an emptied table, a broken view, or a replica that lags behind. Nothing was deleted.",
        "look at the plan; if it is meant, allow as many with --max-delete",
        "weftctl tenant apply ./crm --max-delete 100%";
    713 TenantNotFound NotFound: "a hub or row isn't there",
        "The source holds no hub of that name, or the table no row of that uid.",
        "name one that is there",
        "weftctl tenant test-connection ./crm";
}

impl Code {
    /// The printed form, for example `E0100`.
    pub fn id(self) -> String {
        format!("E{:04}", self.entry().number)
    }

    /// Reads the printed form, in any case.
    pub fn from_id(id: &str) -> Option<Self> {
        let number: u16 = id.strip_prefix(['E', 'e'])?.parse().ok()?;
        Self::ALL
            .iter()
            .copied()
            .find(|code| code.entry().number == number)
    }

    /// The kind, which is the exit code.
    pub fn kind(self) -> Kind {
        self.entry().kind
    }

    /// The code for a kind of which nothing finer is known.
    pub(super) fn general(kind: Kind) -> Self {
        match kind {
            Kind::Failure | Kind::Unknown | Kind::Partial => Self::Failed,
            Kind::Usage => Self::Usage,
            Kind::Denied => Self::TokenRefused,
            Kind::NotFound => Self::CodeUnknown,
            Kind::Conflict => Self::StoreBusy,
            Kind::Timeout => Self::TimedOut,
            Kind::Unavailable => Self::Unreachable,
            Kind::Input => Self::RequestMalformed,
            Kind::Refused => Self::SecretsInside,
            Kind::Unconfirmed => Self::ConfirmationNeeded,
            Kind::Internal => Self::Internal,
            Kind::Interrupted => Self::Interrupted,
            Kind::Terminated => Self::Terminated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_text_hint_and_example_and_a_number_of_its_own() {
        let mut last = 0;
        for code in Code::ALL {
            let entry = code.entry();
            assert!(entry.number > last, "{} is out of order", code.id());
            last = entry.number;
            for text in [entry.title, entry.text, entry.hint, entry.example] {
                assert!(!text.is_empty(), "{} lacks a text", code.id());
            }
            assert!(
                !entry.title.ends_with('.') && entry.text.ends_with('.'),
                "{}",
                code.id()
            );
            assert_eq!(Code::from_id(&code.id()), Some(*code));
        }
    }

    #[test]
    fn exit_codes_and_kinds_are_one_to_one() {
        for (kind, code, _) in Kind::ALL {
            assert_eq!(Kind::from_exit_code(code), kind);
            assert_eq!(kind.exit_code(), code);
        }
    }

    #[test]
    fn every_command_in_a_hint_or_an_example_is_one() {
        use clap::error::ErrorKind::DisplayHelp;
        let mut seen = 0;
        for code in Code::ALL {
            let entry = code.entry();
            for text in [entry.hint, entry.example] {
                for part in text.split([',', ';', '#', '>', '|']) {
                    let Some(at) = part.find("weftctl ") else {
                        continue;
                    };
                    seen += 1;
                    let words = part[at..].split_whitespace();
                    let parsed = crate::cli::command().try_get_matches_from(words);
                    if let Err(error) = parsed {
                        assert_eq!(error.kind(), DisplayHelp, "{}: {error}", code.id());
                    }
                }
            }
        }
        assert!(seen > 60, "{seen}");
    }
}
