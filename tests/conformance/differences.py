"""What several frameworks do in the same way differently: entries of `Framework.differs`."""

ANSWERS_500_ITSELF = {
    "The framework answers an exception with 500 itself, and hides it from outer middleware": (
        "test_a_manager_that_nobody_knows_is_a_mistake_and_no_refusal",
        "test_a_gate_outside_of_the_middleware_is_a_mistake_and_no_refusal /login",
        "test_a_gate_outside_of_the_middleware_is_a_mistake_and_no_refusal /login-sync",
        "test_a_gate_outside_of_the_middleware_is_a_mistake_and_no_refusal /fresh",
        "test_a_gate_outside_of_the_middleware_is_a_mistake_and_no_refusal /fresh-sync",
        "test_a_gate_outside_of_the_middleware_is_a_mistake_and_no_refusal /read",
        "test_a_gate_outside_of_the_middleware_is_a_mistake_and_no_refusal /read-sync",
        "test_a_gate_outside_of_the_middleware_is_a_mistake_and_no_refusal /read-write",
        "test_a_gate_outside_of_the_middleware_is_a_mistake_and_no_refusal /task-group",
        "test_a_views_own_exception_passes_through headers0-/raises",
        "test_a_views_own_exception_passes_through headers0-/raises-sync",
        "test_a_views_own_exception_passes_through headers1-/raises",
        "test_a_views_own_exception_passes_through headers1-/raises-sync",
        "test_a_views_own_exception_passes_through headers2-/raises",
        "test_a_views_own_exception_passes_through headers2-/raises-sync",
        "test_another_exception_after_a_refusal_stays_what_it_is /catches-and-fails",
        "test_another_exception_after_a_refusal_stays_what_it_is /catches-and-fails-sync",
        "test_an_exception_of_its_own_that_nobody_handles_stays_a_500",
        "test_both_leave_a_failure_alone",
    ),
}
NO_MARK_OF_REQUIRE = {
    "A direct call of require() leaves no mark, and the framework answers or closes before we see the exception": (
        "test_require_by_hand_is_answered_where_the_error_is_known /require-answer0",
        "test_require_by_hand_is_answered_where_the_error_is_known /require-read-answer1",
        "test_require_by_hand_is_answered_where_the_error_is_known /require-fresh-answer2",
        "test_it_is_closed_with_4401 headers0-extensions0-/ws/require",
        "test_it_is_closed_with_4401 headers1-extensions1-/ws/require",
        "test_it_is_closed_with_4401 headers2-extensions2-/ws/require",
        "test_it_is_closed_with_4401 headers3-extensions3-/ws/require",
        "test_a_token_that_expires_meanwhile_ends_the_conversation bearer-/ws/require",
        "test_a_token_that_expires_meanwhile_ends_the_conversation cookie-/ws/require",
    ),
}
