-- What three runs of version 4 of the package left in its ledger. Never changed: tests upgrade it.
-- Invitations expire in 2099, so that the rows do not age.

INSERT INTO m3ter_invitation (invitation_id, org_id, email_key, email, generation, state, origin, m3ter_id, inviting_principal_id, attempt, absences, expires_at, created_at, updated_at)
VALUES (1, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'adopted@example.com', 'adopted@example.com', 1, 'adopted', 'found', 'by-hand', 'seed', 0, 0, '2099-12-31 00:00:00.000000', '2025-11-28 09:06:53.164938', '2025-11-28 09:06:53.164938');
INSERT INTO m3ter_invitation (invitation_id, org_id, email_key, email, generation, state, origin, m3ter_user_id, attempt, absences, accepted_at, created_at, updated_at)
VALUES (2, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'member@example.com', 'member@example.com', 1, 'accepted', 'found', 'member', 0, 0, '2025-11-28 09:06:53.164938', '2025-11-28 09:06:53.164938', '2025-11-28 09:06:53.164938');
INSERT INTO m3ter_invitation (invitation_id, org_id, email_key, email, generation, employee_id, state, origin, m3ter_id, m3ter_user_id, inviting_principal_id, dag_id, run_id, plan_id, row_no, request_hash, claim_token, lease_until_ms, attempt, attempt_started_ms, absences, sent_at, accepted_at, expires_at, created_at, updated_at)
VALUES (3, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'accepted@example.com', 'accepted@example.com', 1, 'accepted', 'accepted', 'claimed', 'a8e6777b-cdc9-44f2-b7dd-ceaec415ac93', '2ac1f640-cc8c-4130-8965-6f45549551e9', 'fd81442b-1e3e-51a1-9438-be289baea7e2', 'm3ter_onboarding__test', 'run-1', '0da51551-f1cf-4cbd-bc37-021e20927c53', 1, '9f115ff81766e4b0254550435e2200142f5d7b1ac7771e6c0a0f9ea03184e79e', 'f08305ff-5521-405b-9b9f-293b4d488bf6', 1764320824596, 1, 1764320813613, 0, '2025-11-28 09:06:53.664193', '2025-11-28 09:06:53.904135', '2099-12-31 00:00:00.000000', '2025-11-28 09:06:53.559305', '2025-11-28 09:06:53.904135');
INSERT INTO m3ter_invitation (invitation_id, org_id, email_key, email, generation, employee_id, state, origin, dag_id, run_id, plan_id, row_no, request_hash, claim_token, lease_until_ms, attempt, attempt_started_ms, absences, http_status, message, created_at, updated_at)
VALUES (4, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'refused@example.com', 'refused@example.com', 1, 'refused', 'failed', 'claimed', 'm3ter_onboarding__test', 'run-2', '57d6b5ec-f106-40c7-adf9-ed761999cad5', 5, 'af343b03a72a5953af8bc5d6075e61d83b475be029282c6383d2d777bae238ea', '38775386-bb43-4296-9285-7640224d7b8e', 1764320825465, 1, 1764320814479, 0, 400, 'Bad Request', '2025-11-28 09:06:54.430768', '2025-11-28 09:06:54.577901');
INSERT INTO m3ter_invitation (invitation_id, org_id, email_key, email, generation, employee_id, state, origin, m3ter_id, inviting_principal_id, dag_id, run_id, plan_id, row_no, request_hash, claim_token, lease_until_ms, attempt, attempt_started_ms, absences, http_status, sent_at, expires_at, created_at, updated_at)
VALUES (5, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'sent@example.com', 'sent@example.com', 1, 'sent', 'sent', 'claimed', '14b69ff7-9a1d-46a5-867c-8638525f0d44', 'fd81442b-1e3e-51a1-9438-be289baea7e2', 'm3ter_onboarding__test', 'run-3', '13dfd565-19c3-428b-bb72-3c54dce2e893', 6, 'bcc4e51236ad9f0815cf700e171e26fe16b513b2d4f7aa2d6f40ec712793e175', 'ebf166e9-ad59-4f1e-9189-6f01b97efb96', 1764320826035, 1, 1764320815049, 0, 200, '2025-11-28 09:06:55.091897', '2099-12-31 00:00:00.000000', '2025-11-28 09:06:55.010337', '2025-11-28 09:06:55.091897');
INSERT INTO m3ter_invitation_event (event_id, invitation_id, org_id, to_state, why, m3ter_id, at)
VALUES (1, 1, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'adopted', 'found', 'by-hand', '2025-11-28 09:06:53.164938');
INSERT INTO m3ter_invitation_event (event_id, invitation_id, org_id, to_state, why, m3ter_id, at)
VALUES (2, 2, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'accepted', 'found', 'member', '2025-11-28 09:06:53.164938');
INSERT INTO m3ter_invitation_event (event_id, invitation_id, org_id, to_state, why, plan_id, claim_token, attempt, at)
VALUES (3, 3, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'sending', 'claimed', '0da51551-f1cf-4cbd-bc37-021e20927c53', 'f08305ff-5521-405b-9b9f-293b4d488bf6', 1, '2025-11-28 09:06:53.559305');
INSERT INTO m3ter_invitation_event (event_id, invitation_id, org_id, from_state, to_state, why, plan_id, claim_token, attempt, http_status, m3ter_id, at)
VALUES (4, 3, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'sending', 'sent', 'answered', '0da51551-f1cf-4cbd-bc37-021e20927c53', 'f08305ff-5521-405b-9b9f-293b4d488bf6', 1, 200, 'a8e6777b-cdc9-44f2-b7dd-ceaec415ac93', '2025-11-28 09:06:53.664193');
INSERT INTO m3ter_invitation_event (event_id, invitation_id, org_id, from_state, to_state, why, plan_id, claim_token, attempt, at)
VALUES (5, 3, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'sent', 'accepted', 'found_as_user', '0da51551-f1cf-4cbd-bc37-021e20927c53', 'f08305ff-5521-405b-9b9f-293b4d488bf6', 1, '2025-11-28 09:06:53.904135');
INSERT INTO m3ter_invitation_event (event_id, invitation_id, org_id, to_state, why, plan_id, claim_token, attempt, at)
VALUES (6, 4, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'sending', 'claimed', '57d6b5ec-f106-40c7-adf9-ed761999cad5', '38775386-bb43-4296-9285-7640224d7b8e', 1, '2025-11-28 09:06:54.430768');
INSERT INTO m3ter_invitation_event (event_id, invitation_id, org_id, from_state, to_state, why, plan_id, claim_token, attempt, http_status, message, at)
VALUES (7, 4, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'sending', 'failed', 'refused', '57d6b5ec-f106-40c7-adf9-ed761999cad5', '38775386-bb43-4296-9285-7640224d7b8e', 1, 400, 'Bad Request', '2025-11-28 09:06:54.577901');
INSERT INTO m3ter_invitation_event (event_id, invitation_id, org_id, to_state, why, plan_id, claim_token, attempt, at)
VALUES (8, 5, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'sending', 'claimed', '13dfd565-19c3-428b-bb72-3c54dce2e893', 'ebf166e9-ad59-4f1e-9189-6f01b97efb96', 1, '2025-11-28 09:06:55.010337');
INSERT INTO m3ter_invitation_event (event_id, invitation_id, org_id, from_state, to_state, why, plan_id, claim_token, attempt, http_status, m3ter_id, at)
VALUES (9, 5, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'sending', 'sent', 'answered', '13dfd565-19c3-428b-bb72-3c54dce2e893', 'ebf166e9-ad59-4f1e-9189-6f01b97efb96', 1, 200, '14b69ff7-9a1d-46a5-867c-8638525f0d44', '2025-11-28 09:06:55.091897');
INSERT INTO m3ter_mirror_invitation (org_id, m3ter_id, email_key, email, accepted, created_at, modified_at, expires_at, inviting_principal_id, first_seen_ms, last_seen_ms, gone)
VALUES ('5a9d0b0c-0000-4000-8000-00000000a5b0', 'a8e6777b-cdc9-44f2-b7dd-ceaec415ac93', 'accepted@example.com', 'accepted@example.com', 1, '2025-11-28 09:06:53.622000', '2025-11-28 09:06:53.781000', '2099-12-31 00:00:00.000000', 'fd81442b-1e3e-51a1-9438-be289baea7e2', 1764320813859, 1764320814941, 0);
INSERT INTO m3ter_mirror_invitation (org_id, m3ter_id, email_key, email, accepted, created_at, modified_at, expires_at, inviting_principal_id, first_seen_ms, last_seen_ms, gone)
VALUES ('5a9d0b0c-0000-4000-8000-00000000a5b0', 'by-hand', 'adopted@example.com', 'adopted@example.com', 0, '2025-11-28 09:06:52.943000', '2025-11-28 09:06:52.943000', '2099-12-31 00:00:00.000000', 'seed', 1764320813099, 1764320814941, 0);
INSERT INTO m3ter_mirror_org (org_id, service_user_id, invitations_through, invitations_full_at, users_full_at, policies_full_at, complete_ms, claims, name)
VALUES ('5a9d0b0c-0000-4000-8000-00000000a5b0', 'fd81442b-1e3e-51a1-9438-be289baea7e2', '2025-11-28 09:06:54.000000', '2025-11-28 09:06:54.000000', '2025-11-28 09:06:54.951204', '2025-11-28 09:06:54.965577', 1764320814753, 6, 'Acme Ltd');
INSERT INTO m3ter_mirror_policy (org_id, m3ter_id, name, version, managed, administrator_like, first_seen_ms, last_seen_ms, gone)
VALUES ('5a9d0b0c-0000-4000-8000-00000000a5b0', 'a5ac366a-70b2-5446-aa20-c99421870c54', 'Administrator', 1, 1, 1, 1764320813146, 1764320814968, 0);
INSERT INTO m3ter_mirror_policy (org_id, m3ter_id, name, version, managed, administrator_like, first_seen_ms, last_seen_ms, gone)
VALUES ('5a9d0b0c-0000-4000-8000-00000000a5b0', 'analyst', 'Analyst', 7, 0, 0, 1764320813146, 1764320814968, 0);
INSERT INTO m3ter_mirror_policy (org_id, m3ter_id, name, version, managed, administrator_like, first_seen_ms, last_seen_ms, gone)
VALUES ('5a9d0b0c-0000-4000-8000-00000000a5b0', 'd828c8ef-b906-5a46-8e65-48ce5321f72a', 'Read Only', 1, 1, 0, 1764320813146, 1764320814968, 0);
INSERT INTO m3ter_mirror_user (org_id, m3ter_id, email_key, email, created_at, first_seen_ms, last_seen_ms, gone)
VALUES ('5a9d0b0c-0000-4000-8000-00000000a5b0', '2ac1f640-cc8c-4130-8965-6f45549551e9', 'accepted@example.com', 'accepted@example.com', '2025-11-28 09:06:53.781000', 1764320813877, 1764320814954, 0);
INSERT INTO m3ter_mirror_user (org_id, m3ter_id, email_key, email, created_at, first_seen_ms, last_seen_ms, gone)
VALUES ('5a9d0b0c-0000-4000-8000-00000000a5b0', 'member', 'member@example.com', 'member@example.com', '2025-11-28 09:06:52.943000', 1764320813121, 1764320814954, 0);
INSERT INTO m3ter_onboarding_decision (plan_id, row_no, org_id, employee_id, email, email_key, decision, reason, detail, request, request_hash, decided_at)
VALUES ('0da51551-f1cf-4cbd-bc37-021e20927c53', 1, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'accepted', 'accepted@example.com', 'accepted@example.com', 'invite', 'new', 'Nothing in ledger or m3ter stands against it.', '{"email": "accepted@example.com", "firstName": "Given", "lastName": "Family", "permissionPolicyIds": ["analyst"]}', '9f115ff81766e4b0254550435e2200142f5d7b1ac7771e6c0a0f9ea03184e79e', '2025-11-28 09:06:53.234296');
INSERT INTO m3ter_onboarding_decision (plan_id, row_no, org_id, employee_id, email, email_key, decision, reason, detail, invitation_id, decided_at)
VALUES ('0da51551-f1cf-4cbd-bc37-021e20927c53', 2, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'adopted', 'adopted@example.com', 'adopted@example.com', 'skip', 'already_invited', 'Has an invitation that is still valid.', 1, '2025-11-28 09:06:53.234296');
INSERT INTO m3ter_onboarding_decision (plan_id, row_no, org_id, employee_id, email, email_key, decision, reason, detail, decided_at)
VALUES ('0da51551-f1cf-4cbd-bc37-021e20927c53', 3, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'broken', 'no-address', 'no-address', 'invalid', 'email', 'The e-mail address is not valid. An email address must have an @-sign.', '2025-11-28 09:06:53.234296');
INSERT INTO m3ter_onboarding_decision (plan_id, row_no, org_id, employee_id, email, email_key, decision, reason, detail, invitation_id, decided_at)
VALUES ('0da51551-f1cf-4cbd-bc37-021e20927c53', 4, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'member', 'member@example.com', 'member@example.com', 'skip', 'already_member', 'Is a member of the m3ter organisation.', 2, '2025-11-28 09:06:53.234296');
INSERT INTO m3ter_onboarding_decision (plan_id, row_no, org_id, employee_id, email, email_key, decision, reason, detail, invitation_id, decided_at)
VALUES ('13dfd565-19c3-428b-bb72-3c54dce2e893', 1, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'accepted', 'accepted@example.com', 'accepted@example.com', 'skip', 'already_member', 'Is a member of the m3ter organisation.', 3, '2025-11-28 09:06:54.844122');
INSERT INTO m3ter_onboarding_decision (plan_id, row_no, org_id, employee_id, email, email_key, decision, reason, detail, invitation_id, decided_at)
VALUES ('13dfd565-19c3-428b-bb72-3c54dce2e893', 2, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'adopted', 'adopted@example.com', 'adopted@example.com', 'skip', 'already_invited', 'Has an invitation that is still valid.', 1, '2025-11-28 09:06:54.844122');
INSERT INTO m3ter_onboarding_decision (plan_id, row_no, org_id, employee_id, email, email_key, decision, reason, detail, decided_at)
VALUES ('13dfd565-19c3-428b-bb72-3c54dce2e893', 3, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'broken', 'no-address', 'no-address', 'invalid', 'email', 'The e-mail address is not valid. An email address must have an @-sign.', '2025-11-28 09:06:54.844122');
INSERT INTO m3ter_onboarding_decision (plan_id, row_no, org_id, employee_id, email, email_key, decision, reason, detail, invitation_id, decided_at)
VALUES ('13dfd565-19c3-428b-bb72-3c54dce2e893', 4, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'member', 'member@example.com', 'member@example.com', 'skip', 'already_member', 'Is a member of the m3ter organisation.', 2, '2025-11-28 09:06:54.844122');
INSERT INTO m3ter_onboarding_decision (plan_id, row_no, org_id, employee_id, email, email_key, decision, reason, detail, request_hash, invitation_id, decided_at)
VALUES ('13dfd565-19c3-428b-bb72-3c54dce2e893', 5, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'refused', 'refused@example.com', 'refused@example.com', 'skip', 'refused_before', 'm3ter refused exactly this request before, or gave no sign of it twice; correct the row.', 'af343b03a72a5953af8bc5d6075e61d83b475be029282c6383d2d777bae238ea', 4, '2025-11-28 09:06:54.844122');
INSERT INTO m3ter_onboarding_decision (plan_id, row_no, org_id, employee_id, email, email_key, decision, reason, detail, request, request_hash, decided_at)
VALUES ('13dfd565-19c3-428b-bb72-3c54dce2e893', 6, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'sent', 'sent@example.com', 'sent@example.com', 'invite', 'new', 'Nothing in ledger or m3ter stands against it.', '{"email": "sent@example.com", "firstName": "O''Hara; Zo\u00eb", "lastName": "Family", "permissionPolicyIds": ["analyst"]}', 'bcc4e51236ad9f0815cf700e171e26fe16b513b2d4f7aa2d6f40ec712793e175', '2025-11-28 09:06:54.844122');
INSERT INTO m3ter_onboarding_decision (plan_id, row_no, org_id, employee_id, email, email_key, decision, reason, detail, invitation_id, decided_at)
VALUES ('57d6b5ec-f106-40c7-adf9-ed761999cad5', 1, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'accepted', 'accepted@example.com', 'accepted@example.com', 'skip', 'already_member', 'Is a member of the m3ter organisation.', 3, '2025-11-28 09:06:53.956897');
INSERT INTO m3ter_onboarding_decision (plan_id, row_no, org_id, employee_id, email, email_key, decision, reason, detail, invitation_id, decided_at)
VALUES ('57d6b5ec-f106-40c7-adf9-ed761999cad5', 2, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'adopted', 'adopted@example.com', 'adopted@example.com', 'skip', 'already_invited', 'Has an invitation that is still valid.', 1, '2025-11-28 09:06:53.956897');
INSERT INTO m3ter_onboarding_decision (plan_id, row_no, org_id, employee_id, email, email_key, decision, reason, detail, decided_at)
VALUES ('57d6b5ec-f106-40c7-adf9-ed761999cad5', 3, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'broken', 'no-address', 'no-address', 'invalid', 'email', 'The e-mail address is not valid. An email address must have an @-sign.', '2025-11-28 09:06:53.956897');
INSERT INTO m3ter_onboarding_decision (plan_id, row_no, org_id, employee_id, email, email_key, decision, reason, detail, invitation_id, decided_at)
VALUES ('57d6b5ec-f106-40c7-adf9-ed761999cad5', 4, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'member', 'member@example.com', 'member@example.com', 'skip', 'already_member', 'Is a member of the m3ter organisation.', 2, '2025-11-28 09:06:53.956897');
INSERT INTO m3ter_onboarding_decision (plan_id, row_no, org_id, employee_id, email, email_key, decision, reason, detail, request, request_hash, decided_at)
VALUES ('57d6b5ec-f106-40c7-adf9-ed761999cad5', 5, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'refused', 'refused@example.com', 'refused@example.com', 'invite', 'new', 'Nothing in ledger or m3ter stands against it.', '{"email": "refused@example.com", "firstName": "Given", "lastName": "Family", "permissionPolicyIds": ["analyst"]}', 'af343b03a72a5953af8bc5d6075e61d83b475be029282c6383d2d777bae238ea', '2025-11-28 09:06:53.956897');
INSERT INTO m3ter_onboarding_plan (plan_id, dag_id, run_id, seq, org_id, state, mode, sendable, needs_approval, fingerprint, rows_read, invitations, counts, policies, window_start, window_end, created_at, sealed_at, valid_until_ms)
VALUES ('0da51551-f1cf-4cbd-bc37-021e20927c53', 'm3ter_onboarding__test', 'run-1', 1, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'sealed', 'normal', 1, 0, '57790e748b7ce575b0dd5ba82e3ed5a2ed11892dcc81490934ca1998ed030958', 4, 1, '{"invalid:email": 1, "invite:new": 1, "skip:already_invited": 1, "skip:already_member": 1}', '[{"id": "analyst", "name": "Analyst", "version": 7, "administrator_like": false}]', '2029-12-29 00:00:00.000000', '2030-01-02 00:00:00.000000', '2025-11-28 09:06:53.234296', '2025-11-28 09:06:53.234296', 1764407213302);
INSERT INTO m3ter_onboarding_plan (plan_id, dag_id, run_id, seq, org_id, state, mode, sendable, needs_approval, fingerprint, rows_read, invitations, counts, policies, window_start, window_end, created_at, sealed_at, valid_until_ms)
VALUES ('13dfd565-19c3-428b-bb72-3c54dce2e893', 'm3ter_onboarding__test', 'run-3', 1, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'sealed', 'normal', 1, 0, 'fd929cc8e5ddfaed35de246e97e0df1e76488987105ac1cfb98d869d37c75c92', 6, 1, '{"invalid:email": 1, "invite:new": 1, "skip:already_invited": 1, "skip:already_member": 2, "skip:refused_before": 1}', '[{"id": "analyst", "name": "Analyst", "version": 7, "administrator_like": false}]', '2025-11-25 09:06:53.023842', '2030-01-02 00:00:00.000000', '2025-11-28 09:06:54.844122', '2025-11-28 09:06:54.844122', 1764407214885);
INSERT INTO m3ter_onboarding_plan (plan_id, dag_id, run_id, seq, org_id, state, mode, sendable, needs_approval, fingerprint, rows_read, invitations, counts, policies, window_start, window_end, created_at, sealed_at, valid_until_ms)
VALUES ('57d6b5ec-f106-40c7-adf9-ed761999cad5', 'm3ter_onboarding__test', 'run-2', 1, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'sealed', 'normal', 1, 0, 'a40941f520ac1833fad8959d04ee47215c849c3b0c127853f44dcc9bcb1c54db', 5, 1, '{"invalid:email": 1, "invite:new": 1, "skip:already_invited": 1, "skip:already_member": 2}', '[{"id": "analyst", "name": "Analyst", "version": 7, "administrator_like": false}]', '2025-11-25 09:06:53.023842', '2030-01-02 00:00:00.000000', '2025-11-28 09:06:53.956897', '2025-11-28 09:06:53.956897', 1764407214016);
INSERT INTO m3ter_onboarding_run (dag_id, run_id, config_name, org_id, run_type, triggered_by, mode, interval_start, interval_end, window_start, window_end, config_hash, package_version, may_invite, started_at, delivered_at, finished_at, outcome, counts)
VALUES ('m3ter_onboarding__test', 'run-1', 'test', '5a9d0b0c-0000-4000-8000-00000000a5b0', 'manual', 'tester', 'normal', '2030-01-01 00:00:00.000000', '2030-01-02 00:00:00.000000', '2029-12-29 00:00:00.000000', '2030-01-02 00:00:00.000000', '5eafb40d046b47674de8a8a59d36c92ece4e88de3f3b93950848bca2c0d761da', '0.1.0', 1, '2025-11-28 09:06:53.023842', '2025-11-28 09:06:53.704045', '2025-11-28 09:06:53.769927', 'success', '{"rows": 4, "invalid:email": 1, "invite:new": 1, "skip:already_invited": 1, "skip:already_member": 1, "invitations": {"sent": 1, "adopted": 1}, "allow_invitations": true}');
INSERT INTO m3ter_onboarding_run (dag_id, run_id, config_name, org_id, run_type, triggered_by, mode, interval_start, interval_end, window_start, window_end, config_hash, package_version, may_invite, started_at, delivered_at, finished_at, outcome, counts)
VALUES ('m3ter_onboarding__test', 'run-2', 'test', '5a9d0b0c-0000-4000-8000-00000000a5b0', 'manual', 'tester', 'normal', '2030-01-01 00:00:00.000000', '2030-01-02 00:00:00.000000', '2025-11-25 09:06:53.023842', '2030-01-02 00:00:00.000000', '5eafb40d046b47674de8a8a59d36c92ece4e88de3f3b93950848bca2c0d761da', '0.1.0', 1, '2025-11-28 09:06:53.791529', '2025-11-28 09:06:54.627956', '2025-11-28 09:06:54.687154', 'failed', '{"rows": 5, "invalid:email": 1, "invite:new": 1, "skip:already_invited": 1, "skip:already_member": 2, "invitations": {"failed": 1, "adopted": 1}, "allow_invitations": true}');
INSERT INTO m3ter_onboarding_run (dag_id, run_id, config_name, org_id, run_type, triggered_by, mode, interval_start, interval_end, window_start, window_end, config_hash, package_version, may_invite, started_at, delivered_at, finished_at, outcome, counts)
VALUES ('m3ter_onboarding__test', 'run-3', 'test', '5a9d0b0c-0000-4000-8000-00000000a5b0', 'manual', 'tester', 'normal', '2030-01-01 00:00:00.000000', '2030-01-02 00:00:00.000000', '2025-11-25 09:06:53.023842', '2030-01-02 00:00:00.000000', '5eafb40d046b47674de8a8a59d36c92ece4e88de3f3b93950848bca2c0d761da', '0.1.0', 1, '2025-11-28 09:06:54.702850', '2025-11-28 09:06:55.137152', '2025-11-28 09:06:55.182809', 'failed', '{"rows": 6, "invalid:email": 1, "invite:new": 1, "skip:already_invited": 1, "skip:already_member": 2, "skip:refused_before": 1, "invitations": {"sent": 1, "adopted": 1, "failed": 1}, "allow_invitations": true}');
INSERT INTO m3ter_onboarding_schema (version, created_at, package_version)
VALUES (3, '2025-11-28 09:06:52.908461', '0');

INSERT INTO m3ter_onboarding_worklist (org_id, person_key, employee_id, email, email_key, decision, reason, detail, opened_plan_id, plan_id, row_no, dag_id, config_name, window_start, window_end, first_seen_at, opened_at, last_seen_at)
VALUES ('5a9d0b0c-0000-4000-8000-00000000a5b0', 'employee:e9', 'e9', 'e9@example.com', 'e9@example.com', 'invalid', 'first_name', 'first_name is missing', '0da51551-f1cf-4cbd-bc37-021e20927c53', '0da51551-f1cf-4cbd-bc37-021e20927c53', 9, 'm3ter_onboarding__test', 'test', '2025-11-21 00:00:00.000000', '2025-11-28 00:00:00.000000', '2025-11-28 09:06:53.000000', '2025-11-28 09:06:53.000000', '2025-11-28 09:06:53.000000');

INSERT INTO m3ter_onboarding_access_read (org_id, config_name, dag_id, run_id, started_at, finished_at, outcome, people, users, counts)
VALUES ('5a9d0b0c-0000-4000-8000-00000000a5b0', 'test', 'm3ter_access_review__test', 'run-1', '2025-11-28 09:06:53.000000', '2025-11-28 09:06:53.000000', 'accepted', 2, 3, '{"no_job": 1}');

INSERT INTO m3ter_onboarding_access_job (read_id, row_no, org_id, email_key, end_given)
VALUES (1, 1, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'e1@example.com', 0);

INSERT INTO m3ter_onboarding_access_review (org_id, finding, m3ter_id, email, email_key, in_m3ter, wanted, first_seen_at, last_seen_at)
VALUES ('5a9d0b0c-0000-4000-8000-00000000a5b0', 'no_job', 'user-9', 'left@example.com', 'left@example.com', 'access without an end', 'no access: no job', '2025-11-28 09:06:53.000000', '2025-11-28 09:06:53.000000');

INSERT INTO m3ter_onboarding_day_one (org_id, person_key, employee_id, email, email_key, start_date, standing, standing_since, decision, reason, plan_id, row_no, dag_id, first_seen_at, last_seen_at)
VALUES ('5a9d0b0c-0000-4000-8000-00000000a5b0', 'employee:e9', 'e9', 'e9@example.com', 'e9@example.com', '2025-12-01', 'not_invited', '2025-11-28 09:06:53.000000', 'invalid', 'first_name', '0da51551-f1cf-4cbd-bc37-021e20927c53', 9, 'm3ter_onboarding__test', '2025-11-28 09:06:53.000000', '2025-11-28 09:06:53.000000');

INSERT INTO m3ter_onboarding_chase (org_id, invitation_id, employee_id, email, email_key, dag_id, start_date, why, first_seen_at, last_seen_at)
VALUES ('5a9d0b0c-0000-4000-8000-00000000a5b0', 1, 'e1', 'e1@example.com', 'e1@example.com', 'm3ter_onboarding__test', '2025-12-01', 'starts', '2025-11-28 09:06:53.000000', '2025-11-28 09:06:53.000000');

INSERT INTO m3ter_onboarding_day_one_pass (org_id, dag_id, config_name, time_zone, starts_within_days, no_successful_run_days, first_at, last_at)
VALUES ('5a9d0b0c-0000-4000-8000-00000000a5b0', 'm3ter_day_one__test', 'test', 'UTC', 14, 3, '2025-11-28 09:06:53.000000', '2025-11-28 09:06:53.000000');

INSERT INTO m3ter_onboarding_erased (org_id, kind, key_hash, erased_at, erasure_id)
VALUES ('5a9d0b0c-0000-4000-8000-00000000a5b0', 'address', '0000000000000000000000000000000000000000000000000000000000000000', '2025-11-28 09:06:53.000000', '5a9d0b0c-0000-4000-8000-00000000e5a5');

INSERT INTO m3ter_onboarding_erasure (erasure_id, org_id, erased_at, erased_by, what, check_value, counts)
VALUES ('5a9d0b0c-0000-4000-8000-00000000e5a5', '5a9d0b0c-0000-4000-8000-00000000a5b0', '2025-11-28 09:06:53.000000', 'an operator', 'person', '32e4d7a04505b48064dabb05fa6386481eb519630d1f6fa051cef6916106f3a9', '{"addresses": 1}');

INSERT INTO m3ter_onboarding_organisation (org_id, base_url, first_seen_at, confirmed_by, confirmed_at)
VALUES ('5a9d0b0c-0000-4000-8000-00000000a5b0', 'http://127.0.0.1:8321', '2025-11-28 09:06:53.000000', NULL, NULL);

INSERT INTO m3ter_onboarding_admission (dag_id, org_id, first_at, last_at)
VALUES ('m3ter_onboarding__test', '5a9d0b0c-0000-4000-8000-00000000a5b0', '2025-11-28 09:06:53.000000', '2025-11-28 09:06:53.000000');
INSERT INTO m3ter_onboarding_withheld (plan_id, row_no, org_id, decision, reason, withheld_at)
VALUES ('0da51551-f1cf-4cbd-bc37-021e20927c53', 1, '5a9d0b0c-0000-4000-8000-00000000a5b0', 'skip', 'excluded', '2025-11-28 09:06:53.164938');
