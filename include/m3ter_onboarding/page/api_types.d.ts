// What the script asks the page's API, and what it is answered.
// Made by `make reference` from the routes and their models; a test compares.

/** An instant of ISO 8601, in UTC. */
export type Instant = string;

/** A day of ISO 8601. */
export type Day = string;

/** The newest run that somebody started to invite one person again. */
export interface AgainRun {
  dag_id: string;
  run_id: string;
  /** `running` until it ends. */
  outcome: string;
}

/** Why a person must approve a plan, and until when. */
export interface Approval {
  /** the ends of "because …". */
  because: string[];
  /** by the database's clock; without an answer until then nothing is sent. */
  until: Instant | null;
}

/** The question whether a plan may be sent, which waits for an answer in Airflow. */
export interface AskedApproval {
  subject: string;
  /** when it was asked. */
  asked_at: Instant;
  /** those whose approval counts, as the question names them; empty: any who may answer in Airflow. */
  approvers: string[];
  /** whether the approval of the user who started the run does not count. */
  not_the_starter: boolean;
}

/** Invitations of the last days. */
export interface Chart {
  /** whose calendar days are meant. */
  zone: string;
  days: ChartDay[];
  funnel: PeriodFunnel;
  /** of each ledger that can be read; *funnel* is their sum. */
  funnels: LedgerFunnel[];
  /** null: nobody has accepted in the last 90 days. */
  time_to_accept: TimeToAccept | null;
}

/** The invitations that the runs of one day, in the reader's time zone, set out to send, by what became of them. */
export interface ChartDay {
  day: Day;
  accepted: number;
  waiting: number;
  other: number;
  /** the only DAG whose runs set out to send something; null: none did, or several. */
  dag_id: string | null;
  /** null: no run did, or several. */
  run: DayRun | null;
}

/** The figures of one DAG. */
export interface DagFigures {
  dag_id: string;
  /** of its last run; null: it never ran. */
  org_id: string | null;
  /** of the m3ter that this organisation was read from; null: it never was, or it is left out. */
  base_url: string | null;
  /** whether the connection may send, as the last finished run recorded it; null: no run did. */
  allow_invitations: boolean | null;
  /** null: it never ran. */
  last: LastRun | null;
  /** null: the newest run that was meant to send did not fail. */
  failed: FailedSending | null;
  funnel: Funnel | null;
  /** its invitations that the next run may send, by state: refused, unsent; counting stops. */
  left: Record<string, number>;
}

/** The only run of a day that set out to send something. */
export interface DayRun {
  dag_id: string;
  run_id: string;
}

/** The new state of an invitation. */
export interface Decided {
  state: InvitationState;
}

/** The decision of a person about an invitation. */
export interface DecisionBody {
  ledger: string;
  /** the state that they saw. */
  seen: InvitationState;
  to: "sent" | "unsent" | "superseded";
  why?: string | null;
}

/** A plan decided about the person. */
export interface DecisionStep {
  at: Instant;
  kind: "decision";
  /** what was decided, in words. */
  said: string;
  /** `decision:reason`. */
  name: string;
  detail: string | null;
  dag_id: string;
  run_id: string;
  task_id: "plan";
}

/** An invitation of the person changed. */
export interface EventStep {
  at: Instant;
  kind: "event";
  /** what changed it, in words. */
  said: string;
  /** the new state. */
  state: InvitationState;
  /** both states and the reason. */
  name: string;
  detail: string | null;
  http_status: number | null;
  /** the person who decided it, where one did. */
  decided_by: string | null;
  email: string;
  dag_id: string | null;
  /** with *dag_id*: the run that changed it, where the reader sees it. */
  run_id: string | null;
  /** the task whose log says more. */
  task_id: "send" | "snapshot" | null;
}

/** Which rows of a plan the file holds; no decision: all. */
export interface ExportBody {
  dag_id: string;
  plan_id: string;
  decision?: "invite" | "review" | "invalid" | "skip" | null;
  /** only those that were decided for it. */
  reason?: string | null;
}

/** A run that failed. */
export interface FailedRun {
  dag_id: string;
  run_id: string;
  ended_at: Instant | null;
}

/** The newest run that was meant to send, where it failed. */
export interface FailedSending {
  run_id: string;
  run_type: string;
  started_at: Instant;
  /** why; null: it did not record why. */
  failure: RunFailure | null;
  /** invitations of its newest plan; null: it has none, or no whole plan. */
  planned: number | null;
  /** so many of these it did not send; null: that is not known, for counting stops. */
  not_sent: number | null;
}

/** The kinds of finding. */
export type Finding = "no_job" | "access_end_differs" | "access_end_changed" | "policies_differ" | "pending_for_leaver";

/** A page of findings. */
export interface FindingPage {
  rows: FindingRow[];
  /** where the next page begins; null: there is none. */
  after: number | null;
  /** where the previous page ends; null: this is the first. */
  before: number | null;
  /** how many the whole list has; with *more*, at least so many. */
  total: number;
  more: boolean;
  /** the newest of each organisation; none: its access was never reviewed. */
  reads: LastAccessRead[];
}

/** One finding. */
export interface FindingRow {
  item_id: number;
  org_id: string;
  finding: Finding;
  /** what it means, in words. */
  said: string;
  email: string | null;
  employee_id: string | null;
  m3ter_id: string;
  in_m3ter: string | null;
  wanted: string | null;
  first_seen_at: Instant;
  /** by the last accepted read that found it. */
  last_seen_at: Instant;
  ended_at: Instant | null;
}

/** Which findings a list shows. */
export interface FindingsBody {
  ledger: string;
  shown?: "open" | "ended";
  finding?: Finding | null;
  after?: number;
  before?: number | null;
}

/** An invitation or a user that m3ter, as last read, lists or once listed for an address of the person. */
export interface FoundInM3ter {
  kind: "invitation" | "user";
  email: string;
  m3ter_id: string;
  accepted: boolean;
  /** when it was made; null: m3ter does not say. */
  since: Instant | null;
  /** of an invitation: when it expires; of a user: when their access ends; null: not known. */
  ends_at: Instant | null;
  /** whether m3ter lists it no more. */
  gone: boolean;
}

/** How the last run over everybody that had somebody to invite went. */
export interface Funnel {
  /** null: left out, where there are too many DAGs for cards. */
  run: NamedRun | null;
  planned: number;
  sent: number;
  accepted: number;
}

/** A row of the plan before whose person is not in the new one. */
export interface GoneRow {
  plan_id: string;
  row_no: number;
  employee_id: string | null;
  email: string | null;
  said: string;
}

/** People of the plan before that are not in the new one, and whether these are all. */
export interface GoneRows {
  rows: GoneRow[];
  complete: boolean;
}

/** An invitation of which nobody knows whether it was sent. */
export interface InvitationForReview {
  invitation_id: number;
  org_id: string;
  email: string;
  employee_id: string | null;
  /** first and last name; null: not known. */
  person_name: string | null;
  dag_id: string | null;
  state: InvitationState;
  since: Instant;
  /** why, in words. */
  said: string;
  detail: string | null;
  /** what a person can do. */
  way: string;
  /** the states that a person may give it. */
  to: InvitationState[];
}

/** One page of invitations. */
export interface InvitationPage {
  rows: InvitationRow[];
  /** the cursor of the next page; null: there is none. */
  after: string | null;
  /** the cursor of the previous page; null: this is the first. */
  before: string | null;
  /** how many the whole list has; with *more*, at least so many. */
  total: number;
  more: boolean;
  /** of a search, how far it looked inside addresses; null: it looked at their beginnings alone. */
  reach: SearchReach | null;
}

/** One invitation, as lists show it. */
export interface InvitationRow {
  invitation_id: number;
  org_id: string;
  email: string;
  employee_id: string | null;
  generation: number;
  state: InvitationState;
  /** `claimed`: this ledger set out to send it; `found`: m3ter had it. */
  origin: string;
  m3ter_id: string | null;
  dag_id: string | null;
  run_id: string | null;
  http_status: number | null;
  /** the last answer of m3ter's, or why there was none. */
  message: string | null;
  sent_at: Instant | null;
  accepted_at: Instant | null;
  expires_at: Instant | null;
  created_at: Instant;
  updated_at: Instant;
  /** first and last name; null: no plan asked for it, or they are erased. */
  person_name: string | null;
}

/** Where one invitation stands; the ledger's `state` column holds the value. */
export type InvitationState = "sending" | "unknown" | "review" | "sent" | "adopted" | "accepted" | "expired" | "unsent" | "failed" | "superseded";

/** The newest read of an organisation. */
export interface LastAccessRead {
  org_id: string;
  started_at: Instant;
  /** `running`, `accepted`, `refused` or `failed`; only an accepted one changes findings. */
  outcome: string;
  /** it was not accepted. */
  why: string | null;
}

/** The last 24 hours. */
export interface LastDay {
  /** invitations that were sent; counting stops. */
  invited: number;
  /** invitations that the newest run of each DAG was to send, and did not. */
  not_sent: number;
  /** of each DAG no more than are looked at. */
  runs: number;
  /** so many of these failed. */
  failed: number;
  /** whether a DAG may have had more. */
  more_runs: boolean;
}

/** The newest run of a DAG. */
export interface LastRun {
  run_id: string;
  run_type: string;
  started_at: Instant;
  outcome: string;
  /** why it failed; null: it did not, or did not record why. */
  failure: RunFailure | null;
  /** of its newest plan, where they wait. */
  invitations: number | null;
  /** whether its invitations wait for a first dry run (`look`) or for an approval; null: for neither. */
  waits: string | null;
}

/** What became of the rows of one ledger. */
export interface LedgerFunnel {
  /** its key. */
  ledger: string;
  /** of the runs that began then or later. */
  since: Instant;
  funnel: PeriodFunnel;
}

/** Which invitations a list shows; in the body, since addresses of requests are logged. */
export interface ListBody {
  ledger: string;
  search?: string;
  states?: InvitationState[];
  org_id?: string | null;
  run?: RunOfList | null;
  /** only those of runs that began then or later and may send. */
  runs_since?: Instant | null;
  /** only those that expire later than in so many days. */
  expires_after_days?: number | null;
  /** only those that expire in so many days, and have not expired yet. */
  expires_within_days?: number | null;
  sort?: "changed" | "address" | "expires";
  descending?: boolean;
  after?: string | null;
  before?: string | null;
}

/** A run as people name it: its kind, and when it began. */
export interface NamedRun {
  run_id: string;
  run_type: string;
  started_at: Instant;
}

/** The plan of a later run, after which sending exactly an earlier one would do nothing. */
export interface NewerPlan {
  run_id: string;
  /** it is the same plan, and invitations of it were sent; otherwise it is another plan. */
  sent: boolean;
}

/** An entry of the worklist. */
export interface OpenQuestion {
  item_id: number;
  /** with *row_no*: the newest plan that asked it. */
  plan_id: string;
  row_no: number;
  org_id: string;
  dag_id: string;
  email: string | null;
  employee_id: string | null;
  decision: string;
  reason: string;
  detail: string | null;
  start_date: Day | null;
  /** first and last name, as far as the row has them. */
  person_name: string | null;
  /** what the row has where it is wrong; null: that is not a value, or not recorded. */
  wrong_value: string | null;
  /** when it was opened. */
  since: Instant;
  last_seen: Instant;
  /** since when a complete read has not had the row. */
  gone_since: Instant | null;
  snoozed_until: Instant | null;
  closed_at: Instant | null;
  /** `decided` by *closed_by*, or `too_old`. */
  closed_why: string | null;
  closed_by: string | null;
  note: string | null;
  noted_by: string | null;
  /** the invitation that a person would decide about; null: none that the reader sees. */
  invitation_id: number | null;
  invitation_state: InvitationState | null;
  invitation_email: string | null;
  invitation_dag_id: string | null;
  /** why, in words. */
  said: string;
  /** what a person can do. */
  way: string;
  /** the states that a person may give to that invitation. */
  to: InvitationState[];
  /** whether a run for this employee alone, which somebody asks for, may invite them. */
  invited_again: boolean;
  /** such a run, begun since the question was opened; null: none. */
  again_run: AgainRun | null;
  /** of the invitation that the person has meanwhile; null: none. */
  again_state: InvitationState | null;
}

/** Every DAG of the reader, ledger by ledger. */
export interface Overview {
  user: string;
  /** newest runs that failed before they reached the ledger. */
  unrecorded: FailedRun[];
  /** the name of the pause switch. */
  pause_variable: string;
  /** whether each DAG has a card; otherwise they are a table, and what only a card shows is left out. */
  cards: boolean;
  dags: ReadableDag[];
  ledgers: (ReadableLedger | UnreadableLedger)[];
  words: Words;
}

/** Invitations that were sent and not accepted so far, by the days that are left. */
export interface PendingPart {
  /** they expire within so many days, and not within those of the part before; null: later. */
  within_days: number | null;
  /** counting stops. */
  many: number;
}

/** What became of the rows that the runs of some days read. */
export interface PeriodFunnel {
  /** that plans read; a person who is read again counts again. */
  rows: number;
  /** of those. */
  usable: number;
  /** people who were sent an invitation; of these: */
  invited: number;
  /** have accepted it. */
  accepted: number;
  /** have let it expire. */
  expired: number;
}

/** The invitations of one person, and the steps that led to them. */
export interface PersonHistory {
  employee_id: string | null;
  email: string | null;
  org_id: string;
  /** in the ledger, the newest first. */
  invitations: InvitationRow[];
  /** what m3ter, as last read, has of their addresses, whether or not the ledger has taken it up. */
  in_m3ter: FoundInM3ter[];
  /** the earliest first. */
  steps: (DecisionStep | EventStep)[];
  /** first and last name; null: no plan has it, or they are erased. */
  person_name: string | null;
  /** the first day, as the newest plan that has one read it. */
  start_date: Day | null;
  /** the warehouse's own columns, by name, as the newest plan read them. */
  extra: Record<string, string>;
}

/** The figures of a plan; null: it is not complete. */
export interface PlanFigures {
  rows_read: number | null;
  invitations: number | null;
  /** whether it waits for a person's approval, as long as its run goes on. */
  waits: boolean;
}

/** The result of a plan, without its rows. */
export interface PlanHead {
  plan_id: string;
  seq: number;
  /** `open` while rows are decided, then `sealed`. */
  state: string;
  mode: string;
  sendable: boolean;
  not_sendable_because: string | null;
  needs_approval: boolean;
  /** why nobody has to approve it; null: somebody has to, it invites nobody, or a worker of an earlier version made it. */
  no_approval_because: string | null;
  fingerprint: string | null;
  approved_by: string | null;
  approved_at: Instant | null;
  rejected_by: string | null;
  rejected_at: Instant | null;
  rows_read: number | null;
  invitations: number | null;
  /** rows by `decision:reason`. */
  counts: Record<string, number>;
  created_at: Instant;
  /** names of the permission policies that it gives. */
  policies: string[];
  /** whether nothing of it is sent only since nobody had looked before the first e-mail. */
  waits_for_look: boolean;
}

/** A row of a plan. */
export interface PlannedRow {
  plan_id: string;
  row_no: number;
  employee_id: string | null;
  email: string | null;
  decision: string;
  reason: string;
  start_date: Day | null;
  detail: string | null;
  /** decision and reason, in words. */
  said: string;
  /** since the plan before; null: there is none to compare with. */
  change: "new" | "same" | "changed" | null;
  /** what that one decided, in words, where it decided otherwise. */
  before: string | null;
  /** the warehouse's own columns, by name. */
  extra: Record<string, string>;
  /** first and last name, of those who are invited and of questions, as far as the row has them. */
  person_name: string | null;
  /** what the row has where it is wrong; null: that is not a value, or not recorded. */
  wrong_value: string | null;
  /** names of the permission policies of that invitation. */
  policies: string[];
  /** of the invitation that this row led to; null: to none. */
  state: string | null;
  /** why that was not sent, or none was, in words; null: it was, or nothing says why. */
  why_not: string | null;
  /** of that invitation. */
  expires_at: Instant | null;
}

/** A page of a plan's rows; *after* is the number of the last one, null: there are no more. */
export interface PlannedRows {
  rows: PlannedRow[];
  after: number | null;
}

/** The plan that another one is compared with, of whichever run. */
export interface PreviousPlan {
  plan_id: string;
  seq: number;
  state: string;
  mode: string;
  sendable: boolean;
  not_sendable_because: string | null;
  needs_approval: boolean;
  no_approval_because: string | null;
  fingerprint: string | null;
  approved_by: string | null;
  approved_at: Instant | null;
  rejected_by: string | null;
  rejected_at: Instant | null;
  rows_read: number | null;
  invitations: number | null;
  counts: Record<string, number>;
  created_at: Instant;
  policies: string[];
  waits_for_look: boolean;
  run_id: string;
}

/** The decision of a person about an open question of the worklist. */
export interface QuestionBody {
  ledger: string;
  /** when it was opened, as they saw it. */
  since: Instant;
  action: "close" | "reopen" | "snooze" | "note";
  /** only with `snooze`; empty: not put off any more. */
  until?: Instant | null;
  /** empty: no note any more; absent: it stays as it is. */
  note?: string | null;
}

/** What was decided about a question. */
export interface QuestionDecided {
  action: "close" | "reopen" | "snooze" | "note";
}

/** A page of questions, oldest first. */
export interface QuestionPage {
  rows: OpenQuestion[];
  /** where the next page begins; null: there is none. */
  after: number | null;
  /** where the previous page ends; null: this is the first. */
  before: number | null;
  /** how many the whole list has; with *more*, at least so many. */
  total: number;
  more: boolean;
}

/** Questions that a person may decide about. */
export interface QuestionSelection {
  /** how many there are. */
  total: number;
  /** how many more there are that this person may read and not decide. */
  not_yours: number;
  /** how many, by `decision:reason`. */
  kinds: Record<string, number>;
  /** of the first: their addresses, or else their employee_ids. */
  names: string[];
  /** the oldest, as many as are decided about at once. */
  questions: SeenQuestion[];
}

/** Which questions a list shows; in the body, since addresses of requests are logged. */
export interface QuestionsBody {
  ledger: string;
  shown?: "open" | "waiting" | "snoozed" | "gone" | "closed";
  kind?: string;
  dag_id?: string | null;
  /** opened so long ago; 0: at any time. */
  older_than_days?: number;
  /** a part of an address or of a name, or a whole employee_id. */
  search?: string;
  after?: number;
  before?: number | null;
}

/** What became of a decision about several questions. */
export interface QuestionsDecided {
  action: "close" | "reopen" | "snooze" | "note";
  /** so many are decided. */
  done: number;
  /** so many were answered meanwhile, or are other questions by now; nothing is written there. */
  changed: number;
  /** of the first of these. */
  changed_names: string[];
  /** so many the person may not decide, or not see; nothing is written there. */
  not_yours: number;
}

/** The decision of a person about several questions. */
export interface QuestionsDecisionBody {
  ledger: string;
  action: "close" | "reopen" | "snooze" | "note";
  questions: SeenBody[];
  /** only with `snooze`. */
  until?: Instant | null;
  /** empty: no note any more; absent: each stays as it is. */
  note?: string | null;
}

/** An onboarding DAG that the reader may read. */
export interface ReadableDag {
  dag_id: string;
  name: string;
  config_name: string;
  /** the key of its ledger. */
  ledger: string;
  paused: boolean;
  /** whether Airflow still finds its file. */
  active: boolean;
  /** modes of a run that its parameter `mode` does not offer. */
  lacks: string[];
  /** whether the pause switch stops it; null: the switch cannot be read now. */
  stopped: boolean | null;
  may_trigger: boolean;
  may_edit: boolean;
}

/** A ledger that can be shown. */
export interface ReadableLedger {
  dags: DagFigures[];
  runs: RunSummary[];
  last_day: LastDay;
  organisations: string[];
  organisation_names: Record<string, string>;
  states: Record<string, number>;
  questions: Record<string, number>;
  access: Record<string, number>;
  expire_before_start: number;
  pending: PendingPart[];
  starting: StartingFigures;
  key: string;
  name: string;
  problem: null;
  empty: boolean;
}

/** The invitations of one ledger that wait for a person, and its worklist in figures. */
export interface Review {
  invitations: InvitationForReview[];
  more_invitations: boolean;
  counts: Record<string, number>;
  /** whether the reader may decide about what no DAG made. */
  may_decide: boolean;
}

/** Which rows of a plan; `gone`: those of the plan before whose person is not in it. */
export interface RowsBody {
  dag_id: string;
  plan_id: string;
  decision: "invite" | "review" | "invalid" | "skip" | "gone";
  /** of these, only those that were decided for it. */
  reason?: string | null;
  after?: number | null;
}

/** A run with all its plans. */
export interface RunDetails {
  dag_id: string;
  run_id: string;
  org_id: string;
  base_url: string | null;
  run_type: string;
  triggered_by: string | null;
  mode: string;
  only_employee: string | null;
  started_at: Instant;
  finished_at: Instant | null;
  outcome: string;
  interval_start: Instant;
  interval_end: Instant;
  window_start: Instant;
  window_end: Instant;
  may_invite: boolean;
  failure: RunFailure | null;
  /** the beginning of its configuration's hash. */
  config_hash: string;
  package_version: string;
  /** when all invitations of its days were sent or settled; null: not yet. */
  delivered_at: Instant | null;
  /** whether the connection could send; null: the run did not record it. */
  allow_invitations: boolean | null;
  /** the newest first. */
  plans: PlanHead[];
  /** its invitations by the state that they are in now; counting stops. */
  states: Record<string, number>;
  /** invitations of the newest plan by the state that they are in now, each counted up to all of it. */
  outcomes: Record<string, number>;
  /** the plan that the newest one is compared with. */
  before: PreviousPlan | null;
  /** a later run's, after which sending exactly the newest one would do nothing; null: there is none. */
  newer: NewerPlan | null;
  /** of the newest plan; null: nobody has to approve it. */
  approval: Approval | null;
  /** permission policies of the newest plan that make administrators, by name. */
  administrators: string[];
}

/** Why a run failed: sentences, and the task whose log has more. */
export interface RunFailure {
  task_id: string;
  sentence: string;
}

/** A run as Airflow has it. */
export interface RunInAirflow {
  /** Airflow's word for it. */
  state: string;
  started_at: Instant | null;
  ended_at: Instant | null;
  /** the user who started it; null: nobody did. */
  started_by: string | null;
  /** when this was read: durations of what still runs end there. */
  read_at: Instant;
  steps: Step[];
  /** null: none waits for an answer, or the reader may not see it. */
  question: AskedApproval | null;
}

/** The run whose invitations alone are listed. */
export interface RunOfList {
  dag_id: string;
  run_id: string;
}

/** Runs of a DAG, the newest first, and whether there are older ones. */
export interface RunPage {
  rows: RunSummary[];
  more: boolean;
}

/** How far a run is. */
export interface RunProgress {
  /** null: Airflow no longer has it, or the reader may not see its tasks. */
  airflow: RunInAirflow | null;
  /** null: it is not in the ledger, or not yet. */
  ledger: RunStanding | null;
}

/** How far a run is; counts only. */
export interface RunStanding {
  outcome: string;
  /** of its newest plan; null: none was begun yet. */
  plan_id: string | null;
  /** whether that plan is complete. */
  sealed: boolean;
  /** of that plan. */
  invitations: number;
  /** the run's invitations by the state that they are in now. */
  states: Record<string, number>;
}

/** A run with the figures of its newest plan. */
export interface RunSummary {
  dag_id: string;
  run_id: string;
  org_id: string;
  base_url: string | null;
  run_type: string;
  triggered_by: string | null;
  mode: string;
  only_employee: string | null;
  started_at: Instant;
  finished_at: Instant | null;
  outcome: string;
  interval_start: Instant;
  interval_end: Instant;
  window_start: Instant;
  window_end: Instant;
  may_invite: boolean;
  failure: RunFailure | null;
  /** null: none was made yet. */
  plan: PlanFigures | null;
  /** invitations that it sent, whatever became of them; counting stops. */
  sent: number;
}

/** How far a search looked inside addresses and names. */
export interface SearchReach {
  /** it looked through so many addresses, those that the ledger has had last. */
  newest: number;
  /** whether these are all. */
  complete: boolean;
  /** it looked through so many names, of the newest invitations. */
  names: number;
  /** whether these are all. */
  names_complete: boolean;
  /** whether more than are listed have the text inside. */
  more: boolean;
}

/** A question as the person saw it. */
export interface SeenBody {
  item_id: number;
  /** when it was opened. */
  since: Instant;
}

/** A question as a person saw it. */
export interface SeenQuestion {
  item_id: number;
  /** when it was opened. */
  since: Instant;
}

/** Which questions a person is about to decide about. */
export interface SelectionBody {
  ledger: string;
  shown?: "open" | "waiting" | "snoozed" | "gone" | "closed";
  kind?: string;
  dag_id?: string | null;
  older_than_days?: number;
  search?: string;
  after?: number;
  before?: number | null;
  /** those that they ticked; empty: all of the list. */
  ids?: number[] | null;
}

/** Where somebody stands who starts soon. */
export type Standing = "not_invited" | "pending" | "expires_before_start" | "expired" | "accepted" | "member";

/** Which rows a list shows. */
export interface StartingBody {
  ledger: string;
  name?: "day_one" | "chase";
  standings?: Standing[];
  why?: "starts" | "expires" | "both" | null;
  /** only people who start on this day or later. */
  starts_from?: Day | null;
  /** only people who start on this day or before. */
  starts_until?: Day | null;
  after?: number;
}

/** People of one first day and one standing. */
export interface StartingDay {
  day: Day;
  standing: string;
  many: number;
}

/** What the overview shows of those who start soon. */
export interface StartingFigures {
  /** people, by where they stand. */
  standings: Record<string, number>;
  /** the same by first day; the earliest first. */
  days: StartingDay[];
  /** when the day-one DAG has made its lists; of several organisations, the earliest; null: never. */
  as_of: Instant | null;
  /** who starts today or within so many days is in the list; of several organisations, the most. */
  within_days: number;
  /** the organisations' day; of several time zones, the earliest. */
  today: Day;
  /** invitations to chase. */
  chase: number;
  /** invitations sent on this day of each organisation's time zone; counting stops. */
  sent_today: number;
  /** organisations without a successful onboarding run, and for how many days. */
  without_success: Record<string, number>;
}

/** A page of a list. */
export interface StartingPage {
  rows: StartingRow[];
  /** where the next page begins; null: there is none. */
  after: number | null;
  /** how many the whole list has; with *more*, at least so many. */
  total: number;
  more: boolean;
  /** people by where they stand, of all standings, within the days that are asked for. */
  standings: Record<string, number>;
  /** when the day-one DAG has made the list; of several organisations, the earliest; null: never. */
  as_of: Instant | null;
}

/** One person who starts soon, or one invitation to chase. */
export interface StartingRow {
  item_id: number;
  org_id: string;
  dag_id: string | null;
  email: string | null;
  employee_id: string | null;
  /** first and last name; null: no plan has it, or they are erased. */
  person_name: string | null;
  start_date: Day | null;
  /** of a person; null: the row is an invitation to chase. */
  standing: Standing | null;
  /** of an invitation to chase; null: the row is a person. */
  why: "starts" | "expires" | "both" | null;
  /** of the standing; for an invitation: since it is to be chased. */
  since: Instant;
  /** as `decision:reason`; *said* in words. */
  decision: string | null;
  said: string;
  plan_id: string | null;
  row_no: number | null;
  invitation_id: number | null;
  invitation_state: InvitationState | null;
  expires_at: Instant | null;
  /** of their newest invitation, where it has changed since the list was made; null: nothing has. */
  state_now: InvitationState | null;
  /** when it did. */
  changed_at: Instant | null;
}

/** One task of a run. */
export interface Step {
  task_id: string;
  /** Airflow's word for it; null: it has not begun. */
  state: string | null;
  started_at: Instant | null;
  ended_at: Instant | null;
  /** how often it was begun. */
  tries: number;
}

/** How long people took to accept, by the instants that m3ter gives. */
export interface TimeToAccept {
  /** so many invitations, the newest. */
  of: number;
  median_seconds: number;
  /** nine of ten took no longer. */
  p90_seconds: number;
}

/** A ledger that cannot be shown. */
export interface UnreadableLedger {
  key: string;
  name: string;
  /** why, and what to do. */
  problem: string;
  /** whether only the first run is missing. */
  empty: boolean;
}

/** Names of states, decisions, reasons, findings and standings, and what a person can do about a reason. */
export interface Words {
  states: Record<string, string>;
  verdicts: Record<string, string>;
  reasons: Record<string, string>;
  ways: Record<string, string>;
  findings: Record<string, string>;
  standings: Record<string, string>;
  /** those standings in which somebody has no access. */
  without_access: Standing[];
}

/** Answers of GET, by path. */
export interface Gets {
  "chart": Chart;
  "overview": Overview;
  [path: `review/${string}`]: Review;
  "run": RunDetails;
  "run/progress": RunProgress;
  "runs": RunPage;
  "runs/sending": RunPage;
  [path: `stories/decision/${string}/${string}/${string}`]: PersonHistory;
  [path: `stories/invitation/${string}/${string}`]: PersonHistory;
}

/** Bodies and answers of POST, by path. */
export interface Posts {
  "access": { body: FindingsBody; answer: FindingPage };
  "access/export": { body: FindingsBody; answer: unknown };
  "day-one": { body: StartingBody; answer: StartingPage };
  "day-one/export": { body: StartingBody; answer: unknown };
  "export": { body: ListBody; answer: unknown };
  "invitations": { body: ListBody; answer: InvitationPage };
  [path: `questions/${string}`]: { body: QuestionBody; answer: QuestionDecided };
  [path: `review/${string}`]: { body: DecisionBody; answer: Decided };
  "run/export": { body: ExportBody; answer: unknown };
  "run/rows": { body: RowsBody; answer: PlannedRows | GoneRows };
  "worklist": { body: QuestionsBody; answer: QuestionPage };
  "worklist/decide": { body: QuestionsDecisionBody; answer: QuestionsDecided };
  "worklist/export": { body: QuestionsBody; answer: unknown };
  "worklist/preview": { body: SelectionBody; answer: QuestionSelection };
}
