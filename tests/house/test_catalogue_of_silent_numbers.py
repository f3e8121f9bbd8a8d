"""Every number that is known to have been quietly wrong somewhere has a test here, and the test says where it was wrong.

The tests are found by reading their files, so that one that is renamed or removed is missed at once.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

D = "data/test_data_table.py"
F = "predictions/test_silent_numbers_files.py"
G = "judge/test_silent_numbers_fairness.py"
Q = "judge/test_silent_numbers_quality.py"
C = "judge/test_silent_numbers_calibration.py"
V = "judge/test_silent_numbers_derived.py"
I = "judge/test_silent_numbers_intervals.py"  # noqa: E741
M = "measuring/test_silent_numbers_models.py"
S = "measuring/test_silent_numbers_measurements.py"
T = "training/test_silent_numbers_teaching.py"
X = "data/test_text_tables.py"
W = "data/test_text_stages.py"
K = "training/test_checkpoint_folders.py"
H = "training/test_checkpoint_heads.py"
B = "training/test_blackbox_teachers.py"
E = "training/test_encoder_methods.py"
L = "training/test_lm_losses.py"
N = "training/test_lm_scoring.py"
J = "training/test_text_fits.py"
TC = "end_to_end/test_silent_numbers_texts_classes.py"
TG = "end_to_end/test_silent_numbers_texts_groups.py"
TT = "end_to_end/test_silent_numbers_texts_teachers.py"
TA = "end_to_end/test_silent_numbers_texts_asked.py"
LJ = "judge/test_silent_numbers_language_judging.py"
LM = "measuring/test_silent_numbers_language_models.py"
LX = "measuring/test_silent_numbers_language_timings.py"
LT = "training/test_silent_numbers_language_teachers.py"

CATALOGUE: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    # data
    ("AUROC of a set with one class only", "scikit-learn#30079",
     (f"{Q}::test_auroc_of_one_class_is_undefined_with_its_reason_sklearn_30079",)),
    ("labels and groups called NA, None or null taken for missing ones", "",
     (f"{D}::test_words_for_nothing_stay_text", f"{F}::test_29_the_groups_na_and_none_stay_groups",
      f"{X}::test_every_role_is_read_and_equals_pandas", f"{X}::test_texts_survive_byte_for_byte")),
    ("numbers as labels taken for the places of classes", "", (f"{X}::test_numbers_as_labels_are_numbered_and_noted",)),
    ("ids rounded to 53 bits, or given twice", "",
     (f"{X}::test_ids_of_more_than_53_bits_stay_exact", f"{X}::test_duplicate_ids_are_refused_by_the_check_of_the_data",
      f"{B}::test_44_66_a_file_that_is_not_certain_is_refused_in_one_line",
      f"{B}::test_44_examples_that_the_file_lacks_are_counted_and_named")),
    ("texts of the test that are texts of train", "",
     (f"{W}::test_copies_of_texts_are_leaks_and_a_cut_between_a_pair_counts",
      "training/test_relabel.py::test_a_new_text_that_is_a_test_text_is_left_out")),
    ("a vocabulary learned on texts of the test", "", (f"{W}::test_a_tokenizer_learns_from_training_texts_alone",)),
    ("equal texts with different labels, a ceiling that nobody knows", "",
     (f"{W}::test_46_equal_texts_of_two_classes_are_a_ceiling_that_is_said",)),
    ("tables of texts that are torn or ragged, read as far as they go", "",
     (f"{X}::test_ragged_tables_of_texts_are_refused", f"{X}::test_bad_lines_of_json_are_refused_with_the_line")),
    ("a file of texts that is changed, and taken for the old one", "",
     (f"{X}::test_a_changed_file_of_a_folder_is_another_key",
      "training/test_checkpoint_hub.py::test_the_key_of_a_folder_follows_every_file_of_it")),
    ("a file that is edited while it is read, kept under the name of the old one", "",
     ("end_to_end/test_edited_files.py::test_53_what_was_made_of_an_edited_file_is_dropped_and_the_run_refused",)),
    ("a text of megabytes, or of anything that unpacks to more", "",
     (f"{X}::test_51_a_text_of_more_than_8_mib_is_refused",
      "judge/test_metrics_texts.py::test_a_text_of_a_megabyte_is_undefined_with_the_reason_and_not_an_hour_of_work")),
    ("examples without a group in the total and in no part", "fairlearn#1155 #1698 #1725",
     (f"{G}::test_a_missing_group_is_a_row_of_its_own_fairlearn_1155",
      f"{G}::test_fairlearns_own_groups_and_overall_are_of_the_same_rows_fairlearn_1698",
      f"{F}::test_30_rows_without_a_group_are_counted_and_named")),
    ("rates of a group that has no positive example", "fairness_pipeline_dev_toolkit#29",
     (f"{G}::test_equalized_odds_without_positives_in_a_group_are_undefined_fairness_pipeline_29",
      f"{G}::test_a_gap_of_a_rate_of_nothing_is_undefined_fairness_pipeline_29",
      f"{G}::test_a_small_group_is_not_dropped_without_a_word_fairness_pipeline_29")),
    ("a gap of 0 where there is one group, and a gate that passes on it", "",
     (f"{G}::test_a_single_group_has_nothing_to_compare_fairlearn", "judge/test_score.py::test_one_group_has_no_gap")),
    ("resamples that lack a group", "fairlearn#1441", (f"{G}::test_a_draw_without_a_group_is_counted_fairlearn_1441",)),
    ("label -1 as the last class, label -100 as no example", "",
     (f"{D}::test_labels_that_other_tools_would_misread_are_refused", f"{F}::test_41_a_negative_label_is_refused",
      "judge/test_metrics_quality.py::test_a_missing_label_is_never_right_and_never_the_last_class",
      f"{X}::test_labels_that_are_none_are_refused_with_the_row")),
    ("texts cut to the length of a model", "lm-eval#3115 #3421 helm#741",
     ("measuring/test_harness.py::test_a_context_that_is_too_long_loses_its_beginning_and_is_counted",
      "measuring/test_harness_stages.py::test_a_context_that_lost_its_beginning_is_counted",
      f"{W}::test_rows_are_what_the_tokenizers_library_gives", f"{W}::test_52_the_share_of_texts_that_were_cut_is_a_column",
      f"{W}::test_every_token_of_a_document_is_asked_for_once")),
    # teachers, students, models
    ("teacher and student whose classes stand in another order", "transformers#5196 #10203 #12822",
     (f"{F}::test_54_classes_are_joined_by_name_whatever_their_order",
      "training/test_fit_refusals.py::test_a_teacher_with_other_labels_is_refused",
      f"{H}::test_accuracy_does_not_depend_on_the_order_of_the_classes",
      f"{H}::test_names_that_cannot_be_matched_are_refused_with_both_lists",
      f"{B}::test_56_43_answers_are_joined_by_id_and_classes_by_name_never_by_order",
      "training/test_relabel.py::test_43_classes_of_the_teacher_are_found_by_name")),
    ("labels that are permuted, seen by an accuracy below chance", "thermostat#10",
     (f"{F}::test_54_permuted_labels_are_doubted", "training/test_fit_refusals.py::test_a_teacher_below_chance_is_noted")),
    ("a cache that gives the outputs of another teacher", "lm-eval#4063 #2715",
     (f"{T}::test_55_another_teacher_is_another_entry_torchdistill",
      f"{T}::test_55_all_that_makes_a_teacher_is_in_the_key_of_its_outputs")),
    ("outputs planted in the place of another teacher's", "",
     (f"{T}::test_55_outputs_planted_under_the_key_of_another_teacher_are_refused",
      "training/test_load_and_outputs.py::test_outputs_of_other_examples_are_refused")),
    ("outputs of the teacher in another order than the examples", "haitongli/knowledge-distillation-pytorch#16 #17",
     ("training/test_schedules_and_batches.py::test_outputs_are_joined_by_id_not_by_place",
      "training/test_lm_top_k.py::test_the_record_is_joined_by_example_id",
      "training/test_relabel.py::test_texts_of_a_file_are_joined_by_id")),
    ("the same in files of predictions", "haitongli/knowledge-distillation-pytorch#16",
     (f"{F}::test_56_rows_are_joined_by_id_and_not_by_position",)),
    ("a teacher in train mode", "sparseml#2191 unbiased-teacher#50",
     (f"{M}::test_57_a_teacher_answers_twice_the_same_to_the_bit",)),
    ("a recorded or stored network in train mode", "",
     (f"{M}::test_57_recorded_teacher_outputs_are_those_of_evaluation_mode",
      f"{M}::test_an_artefact_in_train_mode_is_stored_and_read_in_evaluation_mode")),
    ("a language model that drops out while it is asked, or is left in another mode", "",
     ("training/test_lm_models.py::test_dropout_does_not_act_when_asked",
      "training/test_lm_sampling.py::test_the_module_stays_in_its_mode_and_dropout_is_off")),
    ("a student whose answer depends on its neighbours in the batch", "",
     (f"{M}::test_58_a_student_answers_each_row_alone_as_among_others_in_any_order",)),
    ("decisions that change with the size of batches", "lm-eval#879 t-zero#29 transformers#24839",
     (f"{M}::test_59_the_cut_into_batches_flips_no_decision",)),
    ("scores of texts that change with the padding", "lm-eval#879 transformers#24839 #26869",
     ("measuring/test_harness.py::test_task_through_a_runner_equals_torch",
      "training/test_text_students.py::test_59_padding_changes_no_answer_whatever_token_it_is",
      "training/test_token_batches.py::test_59_accuracy_does_not_depend_on_the_size_of_batches",
      "training/test_checkpoint_models.py::test_padding_changes_nothing", f"{N}::test_nothing_depends_on_batches_or_order",
      "training/test_seq2seq_writing.py::test_rows_write_the_same_alone_and_among_others",
      "measuring/test_harness.py::test_a_batch_of_another_size_changes_scores_by_rounding_alone")),
    ("a last batch that is filled up with copies", "pytorch#25162 rf-detr#1507 RecBole#1872",
     (f"{M}::test_60_every_row_is_scored_once",)),
    ("the same in files of predictions", "pytorch#25162", (f"{F}::test_60_every_example_is_scored_once_whatever_the_sets",)),
    ("a loss divided by the classes, or without the square of the temperature",
     "haitongli/knowledge-distillation-pytorch#2 #48 distiller#122",
     (f"{M}::test_61_kd_is_not_divided_by_the_classes_and_carries_t_squared",)),
    ("a student that is its own teacher", "labml#66", (f"{M}::test_61_the_teacher_of_kd_is_not_the_student",)),
    ("losses of language models and encoders by another formula than the published one", "",
     (f"{L}::test_divergences_against_numpy", f"{L}::test_gradients_against_autograd_of_torch",
      f"{L}::test_jsd_has_exactly_the_end_points_it_names", f"{L}::test_top_k_estimators_against_numpy",
      f"{E}::test_tinybert_equals_numpy", f"{E}::test_minilm_equals_numpy",
      f"{E}::test_patient_kd_of_6_and_12_layers_equals_numpy_with_the_papers_layers",
      f"{E}::test_minilmv2_equals_numpy_whatever_the_heads", f"{E}::test_hidden_cosine_equals_numpy")),
    ("tokens drawn from a cut distribution where nobody asked for a cut", "",
     ("training/test_lm_sampling.py::test_cuts_only_when_asked",
      "training/test_lm_on_policy.py::test_what_it_writes_is_drawn_by_the_student_itself")),
    ("the mass beyond the k likeliest tokens, spread over them without a word", "",
     (f"{L}::test_the_bucket_never_says_more_than_the_whole_and_renormalising_the_teacher_alone_would",
      "training/test_lm_top_k.py::test_all_of_the_vocabulary_recorded_is_the_live_teacher")),
    ("attention that is not there, as a sum over nothing", "",
     ("training/test_text_students.py::test_a_network_without_attention_is_refused_and_no_empty_sum",
      f"{J}::test_a_student_without_attention_is_refused")),
    ("padding within the loss", "optipfair#34 Liger-Kernel#974 #1478",
     ("training/test_method_losses.py::test_kd_of_tokens_does_not_see_padding",
      f"{J}::test_62_rows_with_more_padding_train_the_same_weights_optipfair_34",
      f"{E}::test_62_padding_is_no_part_of_a_loss_about_layers_optipfair_34_liger_974",
      f"{L}::test_padding_and_batches_change_nothing")),
    ("tokens of one vocabulary given to a model of another", "trl#4562 DistillKit#7",
     (f"{T}::test_63_a_teacher_of_another_vocabulary_is_refused_trl_4562",
      f"{J}::test_63_a_live_teacher_of_another_tokenizer_is_refused_trl_4562",
      f"{J}::test_63_recorded_answers_teach_a_student_of_another_tokenizer_but_features_of_tokens_do_not",
      "training/test_relabel.py::test_63_a_teacher_of_another_tokenizer_is_refused")),
    ("vocabularies that differ by their padding alone", "torchtune#2119",
     (f"{J}::test_64_a_vocabulary_of_another_size_is_refused_with_both_sizes_torchtune_2119",
      f"{K}::test_other_vocabularies_are_refused_and_padding_rows_cut_off",
      f"{L}::test_another_vocabulary_or_width_is_refused")),
    ("probabilities, logits and labels of a teacher that nobody can run, guessed", "",
     (f"{B}::test_a_label_is_a_decision_and_not_a_distribution", f"{B}::test_logits_stay_as_they_are",
      f"{B}::test_a_label_becomes_a_distribution_with_the_smoothing_that_is_said")),
    ("one logit an example, spread over all classes", "",
     (f"{M}::test_65_logits_of_another_width_are_refused_not_broadcast", f"{F}::test_65_one_logit_a_row_is_refused",
      f"{F}::test_65_one_row_of_logits_too_few_is_refused")),
    ("logits that are not numbers, scored as class 0", "lm-eval#1340",
     (f"{M}::test_67_logits_that_are_not_finite_are_never_scored",
      f"{F}::test_67_logits_that_are_not_finite_are_refused_with_their_count",
      f"{N}::test_what_is_not_finite_or_of_another_size_is_refused",
      "training/test_seq2seq_writing.py::test_refusals_of_outputs_that_are_none",
      "measuring/test_harness_stages.py::test_a_model_whose_logits_are_not_finite_is_refused")),
    ("a head that is not in the file", "transformers#11334 #48722",
     (f"{M}::test_68_a_missing_head_is_refused_and_a_whole_checkpoint_answers_as_before",
      f"{H}::test_a_missing_head_is_refused_unless_a_new_one_is_asked_for",
      f"{H}::test_the_head_of_pretraining_is_no_classifier", f"{K}::test_classifiers_answer_as_in_the_library",
      f"{K}::test_language_models_answer_as_in_the_library")),
    ("no tensor of a file loaded, because all names have a prefix", "",
     (f"{M}::test_69_the_prefix_of_data_parallel_is_refused_with_a_hint", f"{K}::test_strictness_names_what_is_wrong")),
    ("weights that are not numbers, of another type, or torn", "",
     (f"{K}::test_weights_that_are_not_finite_are_refused", f"{K}::test_half_precision_is_read_as_float32_and_said",
      f"{K}::test_only_whole_plain_safetensors_files_are_opened",
      f"{H}::test_a_head_of_another_size_is_refused_unless_a_new_one_is_asked_for")),
    ("an int8 language model that is asked in float32", "",
     ("measuring/test_harness.py::test_an_int8_model_is_scored_as_int8",
      "training/test_seq2seq_writing.py::test_an_int8_graph_writes_through_its_own_runtime")),
    ("images that reach a checkpoint standardised otherwise than it learned", "",
     (f"{K}::test_images_reach_the_network_standardised_as_it_learned",)),
    # metrics
    ("a bin of its own for confidence 1", "torchmetrics#3510",
     (f"{C}::test_torchmetrics_3510_confidence_1_has_no_bin_of_its_own",)),
    ("a confidence of 1 beyond the last bin", "torchmetrics#1646",
     (f"{C}::test_torchmetrics_1646_confidence_1_is_no_crash_and_a_perfect_predictor_has_error_0",)),
    ("a probability of 0 below the first bin", "torchmetrics#1744",
     (f"{C}::test_torchmetrics_1744_probability_0_lies_in_the_first_bin",)),
    ("the centre of a bin for its mean confidence", "PyCalib#4",
     (f"{C}::test_pycalib_4_a_bin_is_compared_by_its_mean_confidence_and_not_its_centre",)),
    ("logits or probabilities guessed from the range of a batch",
     "torchmetrics#2195 #2329 #1989 #3179 anomalib#2003 #2337",
     (f"{Q}::test_scores_mean_the_same_in_any_batch_torchmetrics_2195_2329_1989_3179",)),
    ("the same in files of predictions", "torchmetrics#2195 #2329 #1989 #3179",
     (f"{F}::test_77_the_kind_is_the_name_of_the_column_and_not_the_range_of_its_numbers",)),
    ("scores that a sigmoid makes equal", "torchmetrics#2819 anomalib#3407",
     (f"{Q}::test_auroc_does_not_saturate_torchmetrics_2819_anomalib_3407",)),
    ("macro averages with classes that do not occur", "torchmetrics#295 #1664 #1691 #2441 #2828",
     (f"{Q}::test_macro_averages_with_absent_classes_torchmetrics_295_1664_1691_2441_2828",)),
    ("which side of an OOD detector is the positive one", "OpenOOD#206 #211 #308 ood-metrics#2",
     (f"{Q}::test_which_side_of_ood_is_positive_is_said_and_kept_openood_206_211_308",)),
    ("the same for detectors on features", "OpenOOD#206 #211",
     ("judge/test_metrics_features.py::test_perfect_reversed_and_equal_detectors",)),
    ("ties between known and foreign inputs", "probly#540", (f"{Q}::test_tied_ood_scores_give_a_half_probly_540",)),
    ("the standard error of another estimator", "lm-eval#3882",
     (f"{I}::test_80_an_interval_is_that_of_its_own_estimator_lm_eval_3882",)),
    ("a standard error of 0 beside a share that is neither 0 nor 1", "lm-eval#3966",
     (f"{I}::test_80_no_share_between_0_and_1_has_an_interval_of_one_point_lm_eval_3966",)),
    ("a score and its error that weigh the parts unlike", "lm-eval#1521 #1427",
     (f"{I}::test_80_the_whole_weighs_examples_and_its_error_is_that_of_the_same_weighting_lm_eval_1521_1427",)),
    ("a standard error of other groups", "lm-eval#3695",
     (f"{I}::test_80_a_group_has_the_error_of_its_own_examples_lm_eval_3695",)),
    ("intervals that do not hold what they say", "",
     ("judge/test_statistics.py::test_checkpoint_intervals_cover_95_percent",
      "judge/test_statistics.py::test_intervals_over_seeds_cover_95_percent")),
    ("means of the means of batches", "lm-eval#2890", (f"{Q}::test_batches_are_never_averaged_lm_eval_2890",)),
    ("means of the rates of texts, called the rate of all", "",
     ("judge/test_metrics_tokens.py::test_they_are_ratios_of_sums_and_no_means_of_ratios",
      "judge/test_metrics_texts.py::test_wer_is_pooled_over_words_and_not_a_mean_of_rates",
      "judge/test_metrics_tokens.py::test_perplexity_and_bits_per_byte_against_lm_eval_rolling_likelihood")),
    ("a metric of texts on the wrong text: another reference, case, or what stands around the answer", "",
     ("judge/test_metrics_texts.py::test_the_best_of_several_references_counts",
      "judge/test_metrics_texts.py::test_exact_match_of_what_follows_a_mark",
      "judge/test_metrics_texts.py::test_case_and_punctuation_count_as_errors_unless_a_normaliser_is_named")),
    ("numbers of lm-eval that are not lm-eval's, and intervals of another estimator", "",
     ("measuring/test_harness_stages.py::test_lm_evals_numbers_from_the_stored_columns_to_the_last_digit",
      "measuring/test_harness_metric.py::test_spread_of_draws_against_lm_evals_standard_error",
      "measuring/test_harness_metric.py::test_clusters_make_an_interval_wider")),
    ("answers to other questions, prompts or examples, in one column", "",
     ("measuring/test_harness_stages.py::test_answers_to_other_questions_are_refused",
      "measuring/test_harness_tasks.py::test_what_stands_before_a_choice_is_written_down",
      "measuring/test_harness_tasks.py::test_the_same_examples_come_every_time")),
    ("an accuracy that guessing has too", "", ("measuring/test_harness_metric.py::test_an_accuracy_at_chance_is_marked",)),
    ("bins of confidence over tokens with another rule at their edges", "",
     (f"{N}::test_bins_of_confidence_against_a_plain_loop",
      "judge/test_metrics_tokens.py::test_calibration_of_tokens_against_a_plain_loop")),
    ("texts without a token and collections without an answer, as 0", "",
     ("judge/test_metrics_tokens.py::test_texts_without_tokens_have_no_value_and_spoil_no_other",
      "judge/test_metrics_vectors.py::test_queries_without_a_relevant_document_are_left_out_and_counted",
      "judge/test_metrics_texts.py::test_an_empty_reference_adds_its_insertions_and_no_words")),
    ("tied likelihoods and distances that go to whoever comes first", "",
     (f"{N}::test_equal_logits_rank_by_their_number", "training/test_seq2seq_writing.py::test_ties_go_to_the_lower_token",
      "judge/test_metrics_vectors.py::test_ties_equal_the_mean_over_every_order_of_what_is_tied")),
    ("the same for every metric that there is", "",
     ("judge/test_metric_contract.py::test_it_does_not_depend_on_how_rows_are_split_into_batches",)),
    ("ties, and answers that are all the same", "",
     (f"{Q}::test_ties_and_constant_scores_follow_the_stated_rule", f"{F}::test_82_constant_answers_are_said")),
    ("the log loss of a certain error, and scores of nobody", "",
     (f"{Q}::test_log_loss_of_a_certain_error_is_stated_and_nobody_has_no_number",)),
    ("means over the seeds that survived", "",
     (f"{V}::test_failed_seeds_are_counted_and_named_and_never_averaged_away",
      "judge/test_board.py::test_a_failed_seed_makes_the_contender_partial_and_unranked")),
    ("what is retained of a teacher that is no better than a guess", "",
     (f"{V}::test_retention_of_a_teacher_no_better_than_the_majority_class_is_undefined",)),
    ("a gate on a number that there is not", "great_expectations#2726 #7432 #8548",
     ("judge/test_board.py::test_gates_pass_on_the_bound_and_never_on_nothing",)),
    # latency, memory, operations
    ("the launch of a computation timed, and not its end", "mlx-benchmark#21 pytorch#177765",
     (f"{S}::test_88_work_that_is_put_off_is_paid_within_the_timed_region",)),
    ("negative rates, lost events, mixed units", "optimum-benchmark#128 #223 mlagility#287",
     (f"{S}::test_89_latencies_are_positive_add_up_to_the_time_that_passed_and_say_their_unit",)),
    ("a peak of memory inherited from the parent", "rbx#726 bun#43304 panbench#196",
     ("measuring/test_memory.py::test_without_a_reset_a_fresh_interpreter_reads_the_same",
      f"{S}::test_90_a_small_model_after_a_large_one_in_one_process_has_its_own_peak")),
    ("the memory of all processes", "optimum-benchmark#124",
     (f"{S}::test_91_what_another_process_takes_meanwhile_is_not_counted",)),
    ("a count that depends on the kernel of attention, on train mode, or on inference mode within", "",
     ("measuring/test_flops.py::test_the_backend_of_attention_changes_nothing",
      "measuring/test_flops.py::test_mode_and_random_state_change_nothing_and_are_kept",
      "measuring/test_flops.py::test_inference_mode_inside_a_network_hides_nothing")),
    ("weights in packed 8-bit objects counted as no parameters", "",
     ("measuring/test_sizes.py::test_packed_int8_weights_of_torch_ao_count_as_they_are_stored",)),
    ("operators without a formula counted as nothing", "fvcore#143 #153 ptflops#62",
     (f"{M}::test_92_flops_see_fused_attention_and_products_without_a_module",)),
    ("int8 graphs and recurrent layers counted as nothing", "",
     ("measuring/test_onnx_operations.py::test_an_int8_graph_has_integer_operations_and_no_floating_point_count",
      "measuring/test_flops.py::test_flops_equal_the_count_by_hand",
      "measuring/test_flops.py::test_flops_of_the_exported_graph_equal_the_count_by_hand",
      "judge/test_metric_values.py::test_flops_of_a_blind_counter_are_undefined")),
    ("a layer that is used twice", "ptflops#106 DeepSpeed#8320",
     (f"{M}::test_92_a_shared_layer_costs_each_time_it_runs_and_is_stored_once",)),
    ("tied weights counted twice, zeros counted as compression", "",
     (f"{M}::test_93_tied_weights_count_once_and_zeros_are_no_smaller_network",
      "training/test_lm_models.py::test_tied_weights_count_once_and_without_embeddings",
      f"{H}::test_tied_weights_are_stored_once_and_found")),
    ("operations of a language model, without attention or without its output", "",
     ("training/test_lm_models.py::test_operations_against_a_count_by_hand",)),
    ("a token timed together with the prompt before it, or from a cache that is not the model's", "",
     ("measuring/test_decode.py::test_a_decoded_token_is_timed_without_the_row_before_it",
      "measuring/test_decode.py::test_the_next_token_from_memory_is_that_of_the_whole_row")),
    # texts, documents and questions, from the user's file to the board
    ("texts or questions of one class, of which a model that says nothing else is always right", "",
     (f"{TC}::test_25_texts_of_one_class_are_refused_and_a_probe_of_one_class_is_said",
      f"{TA}::test_25_questions_whose_right_choice_is_always_the_same_are_said")),
    ("texts of a class that is in one split alone, or that a probe lacks", "",
     (f"{TC}::test_27_texts_of_a_class_that_is_in_one_split_alone",
      f"{TC}::test_27_a_class_that_a_probe_of_texts_lacks_is_said")),
    ("texts, documents and questions without a group in the total and in no part", "fairlearn#1155 #1698 #1725",
     (f"{TG}::test_30_texts_without_a_group_are_a_row_of_their_own_fairlearn_1155",
      f"{TG}::test_30_a_missing_group_of_a_probe_is_kept_in_the_total_fairlearn_1698",
      f"{TA}::test_30_questions_without_a_group_are_a_group_of_their_own_fairlearn_1725")),
    ("rates of a group of texts that has no positive example", "fairness_pipeline_dev_toolkit#29",
     (f"{TG}::test_31_a_group_of_texts_without_positives_has_no_rate_and_no_gap_fairness_pipeline_29",
      f"{TG}::test_31_a_group_of_a_probe_without_positives_has_no_rate_fairness_pipeline_29")),
    ("a group of texts or questions that the test lacks, or of one alone", "",
     (f"{TG}::test_32_a_group_of_texts_that_the_test_lacks_is_listed_with_0",
      f"{TG}::test_33_a_group_of_one_text_is_shown_and_not_compared",
      f"{TA}::test_32_33_a_group_of_one_question_is_shown_and_not_compared")),
    ("a gap of 0 between texts of a single group", "", (f"{TG}::test_34_texts_of_a_single_group_have_no_gap_and_pass_no_gate",)),
    ("resamples of authors that lack a group of their texts", "fairlearn#1441 fairness_pipeline_dev_toolkit#29",
     (f"{TG}::test_38_draws_of_texts_in_clusters_without_a_group_are_counted_fairlearn_1441",
      f"{TA}::test_31_34_38_groups_of_questions_without_positives_alone_or_lost_in_a_draw_fairlearn_1441")),
    ("a group column of texts that is missing, torn, or a label that documents do not have", "",
     (f"{TC}::test_39_a_group_column_of_texts_that_is_missing_or_of_other_length_is_refused",
      f"{TC}::test_39_documents_have_no_label_to_be_grouped_by",
      f"{TA}::test_39_a_field_that_questions_lack_is_refused_with_its_place")),
    ("the head of a file of texts or questions that is sorted by class", "",
     (f"{TC}::test_47_a_file_of_texts_sorted_by_class_is_split_by_class_and_not_by_its_head",
      f"{TA}::test_47_the_first_questions_of_a_sorted_file_are_said_to_be_the_first_and_of_one_answer")),
    ("what another teacher said of texts", "lm-eval#4063 #2715",
     (f"{TT}::test_55_all_that_makes_a_teacher_of_texts_is_in_the_key_of_its_record_lm_eval_4063",
      f"{TT}::test_55_the_record_of_another_teacher_of_texts_is_not_taken_torchdistill",
      f"{TT}::test_55_a_changed_file_of_a_teachers_answers_is_another_teacher")),
    ("answers about texts in another order, or under the ids of others", "haitongli/knowledge-distillation-pytorch#16 #17",
     (f"{TT}::test_56_answers_about_texts_in_another_order_teach_and_score_the_same_haitongli_16",
      f"{TT}::test_56_answers_under_the_ids_of_other_texts_are_doubted_haitongli_17",
      f"{TT}::test_56_texts_that_a_teacher_wrote_are_joined_by_id_whatever_their_order")),
    ("a last batch of texts, windows or questions that is filled up with copies", "pytorch#25162 rf-detr#1507 RecBole#1872",
     (f"{TT}::test_60_every_text_is_scored_once_whatever_its_length_pytorch_25162",
      f"{TT}::test_60_every_document_and_every_token_of_it_is_scored_once_recbole_1872",
      f"{TA}::test_60_every_question_is_scored_once_in_whatever_batch_pytorch_25162")),
    # language models and models of texts, as they are judged and measured
    ("one number a token, or a place fewer, spread over the vocabulary", "",
     (f"{LM}::test_65_token_logits_of_one_number_or_of_one_place_fewer_are_refused_and_never_broadcast",)),
    ("a compression that is the teacher itself, or larger than it", "",
     (f"{LJ}::test_71_a_student_that_is_no_smaller_than_its_teacher_or_is_the_teacher_is_no_compression",)),
    ("a file of a text model that is random, answers by the neighbours of a text, or says always the same", "",
     (f"{LM}::test_72_a_text_file_that_is_random_or_depends_on_its_batch_is_refused_and_a_constant_one_is_named",)),
    ("the centre of a bin for the mean confidence in its tokens", "PyCalib#4",
     (f"{LM}::test_76_the_calibration_of_tokens_is_by_mean_confidence_against_a_plain_float64_loop",)),
    ("logarithms, probabilities or logits of a teacher of texts, or of the choices of lm-eval, guessed from their range",
     "torchmetrics#2195 #2329 #1989 #3179 anomalib#2003 #2337",
     (f"{LT}::test_77_what_a_file_of_a_text_teacher_holds_is_its_name_and_never_guessed",
      f"{LM}::test_77_choices_of_lm_eval_are_log_likelihoods_whatever_their_range_and_batch")),
    ("macro averages over intents that no test text has", "torchmetrics#295 #1664 #1691 #2441",
     (f"{LJ}::test_78_macro_averages_over_intents_that_the_test_texts_lack_torchmetrics_295_1664_1691_2441",)),
    ("queries in scope as the positive side, ties as 1", "OpenOOD#206 #211 #308 ood-metrics#2 probly#540",
     (f"{LM}::test_79_queries_out_of_scope_are_the_positive_side_of_every_detector",)),
    ("language models over the seeds that survived", "",
     (f"{LJ}::test_84_a_failed_seed_of_a_language_model_is_named_and_its_survivors_have_no_rank",)),
    ("what is retained of a language model that knows no more than how frequent tokens are", "",
     (f"{LJ}::test_85_retention_of_a_language_model_that_only_knows_how_frequent_tokens_are_is_undefined",)),
    ("times of one or two blocks, or of no work, of tokens that are written", "",
     (f"{LX}::test_86_a_language_model_is_not_timed_once_or_twice",
      f"{LX}::test_87_a_token_that_costs_nothing_is_timed_over_many_calls_or_has_no_number")),
    ("the launch of a token timed, or the prompt with it", "mlx-benchmark#21 pytorch#177765",
     (f"{LX}::test_88_a_token_is_timed_to_the_end_of_its_work_and_without_the_prompt_before_it",)),
    ("rates of tokens that are not those of their times", "optimum-benchmark#128 #223 mlagility#287",
     (f"{LX}::test_89_tokens_a_second_times_seconds_are_the_tokens_of_a_call",)),
    ("the peak of long rows for that of short ones", "rbx#726 bun#43304 panbench#196",
     (f"{LX}::test_90_short_rows_after_long_ones_have_their_own_peak_and_the_cache_is_counted",)),
    ("a neighbour's memory for that of a model that writes", "optimum-benchmark#124",
     (f"{LX}::test_91_the_memory_of_a_model_that_writes_is_not_that_of_its_neighbours",)),
    ("tokens that were written under load, or beside other work, as if they were not", "",
     (f"{LX}::test_94_tokens_that_were_written_under_load_are_marked",
      "plan/test_silent_numbers_language_turns.py::test_95_times_of_rows_and_of_written_tokens_are_taken_alone")),
    ("the time of an answer that a text model kept", "",
     (f"{LX}::test_96_a_text_model_that_keeps_its_last_answer_is_caught_whether_it_reads_or_writes",)),
    # traps in the code of evaluation tools
    ("the log-likelihood of other rows' labels", "", (f"{C}::test_gnosis_nll_reads_the_labels_of_its_own_rows",)),
    ("a divergence averaged over batches", "",
     (f"{C}::test_gnosis_kl_is_a_mean_of_examples_and_not_of_batch_means",)),
    ("the value that the phantom bin gives", "torchmetrics#3510",
     (f"{C}::test_t2_torchmetrics_itself_still_disagrees_only_because_of_the_phantom_bin",)),
    ("fewer bins than were asked for", "", (f"{C}::test_dirichletcal_asked_for_15_bins_there_are_15",)),
    ("three errors under one name", "",
     (f"{C}::test_netcal_and_torch_uncertainty_three_errors_named_ace_have_three_names_and_values",)),
    ("three models under the name of the base of mCE, and errors joined by place", "",
     (f"{V}::test_three_alexnets_the_base_is_named_and_joined_by_the_name_of_the_shift",)),
    ("the order of p-values for their rank", "", ("judge/test_pairs.py::test_holm_equals_statsmodels_and_steps_by_rank",)),
    ("an unpaired test of paired answers", "lm-evaluation-harness#3831",
     ("judge/test_pairs.py::test_pair_of_checkpoints_is_mcnemar_where_an_unpaired_z_test_sees_nothing",)),
    ("tied models with different win rates", "helm#4332",
     ("judge/test_datasets.py::test_tied_rows_of_helm_classic_have_one_win_rate",)),
    ("a metric that was mended, on no board that was out", "helm#4332",
     ("end_to_end/test_rejudging.py::test_a_mended_metric_reaches_the_published_board_without_a_model_helm_4332",
      "plan/test_judging_setup.py::"
      "test_another_version_of_a_library_that_numbers_come_from_judges_again_and_makes_no_evidence_again")),
    ("changes of a metric that its version does not tell", "",
     ("end_to_end/test_rejudging.py::test_every_change_of_a_metric_is_noticed_and_its_restoration_too",)),
    ("dilation and padding in the count of operations, multiply-adds called FLOPs", "fvcore#69",
     (f"{S}::test_92_dilation_and_the_kind_of_padding_are_seen",)),
    ("products within attention that no layer's hook sees", "olmoearth_pretrain#605",
     (f"{S}::test_92_the_products_within_attention_are_counted",)),
    ("a percentile whose bound collapses in a long run", "mlcommons/inference#1083",
     ("judge/test_metric_values.py::test_latency_percentiles_equal_the_binomial_bound_of_scipy",)),
)  # fmt: skip
"""What was wrong; the public issues ("" where it was seen in code or measured, and not reported); the tests."""


@cache
def functions(path: str) -> dict[str, str]:
    """name -> its text with decorators, of the test functions of a file."""
    text = (ROOT / "tests" / path).read_text(encoding="utf-8")
    found = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    return {node.name: ast.get_source_segment(text, node) or "" for node in found}


@pytest.mark.parametrize("entry", CATALOGUE, ids=[f"{i:02d}" for i in range(len(CATALOGUE))])
def test_it_has_tests_and_they_name_the_public_issues(entry):
    wrong, issues, tests = entry
    assert tests
    for test in tests:
        path, _, name = test.partition("::")
        assert (ROOT / "tests" / path).is_file(), f"{wrong}: there is no tests/{path}"
        assert name in functions(path), f"{wrong}: tests/{path} has no {name}"
    said = "\n".join(name + functions(path)[name] for path, _, name in (test.partition("::") for test in tests))
    missing = [number for number in re.findall(r"#(\d+)", issues) if not re.search(rf"#{number}\b", said)]
    missing += [project for project in re.findall(r"([\w/-]+)#", issues) if project.lower() not in said.lower()]
    assert not missing, f"{wrong}: {', '.join(missing)} of {issues} are named by none of {', '.join(tests)}"


def test_every_test_of_silent_numbers_is_in_the_catalogue():
    """But those that are about inputs which were never a wrong number elsewhere: they are refused, or said."""
    listed = {test for _, _, tests in CATALOGUE for test in tests}
    files = sorted((ROOT / "tests").rglob("test_silent_numbers_*.py"))
    assert len(files) >= 9
    there = {f"{path.relative_to(ROOT / 'tests').as_posix()}::{name}" for path in files
             for name in functions(path.relative_to(ROOT / "tests").as_posix())}  # fmt: skip
    plain = {"35", "36", "37", "42", "43", "44", "54", "56", "66"}
    forgotten = [test for test in there - listed if test.partition("::test_")[2][:2] not in plain and f"{V}::" not in test]
    assert sorted(forgotten) == [f"{G}::test_the_guide_of_fairlearn_is_on_the_board"]


def test_nothing_is_listed_twice():
    assert len({entry[2] for entry in CATALOGUE}) == len(CATALOGUE)
