#include <optotorch/core/check.h>
#include <optotorch/modules/laboratory/chips/imperfections.h>

namespace optotorch {

const std::vector<ImperfectionField>& imperfection_fields() {
  static const std::vector<ImperfectionField> fields = {
      {"splitter_error", &Imperfections::splitter_error, 1},
      {"phase_error", &Imperfections::phase_error, 100},
      {"resonance_error", &Imperfections::resonance_error, 100, /*of_meshes=*/false},
      {"width_error", &Imperfections::width_error, 10, /*of_meshes=*/false},
      {"aberration", &Imperfections::aberration, 100, /*of_meshes=*/false},
      {"offset_error", &Imperfections::offset_error, 1000, /*of_meshes=*/false},
      {"rotation_error", &Imperfections::rotation_error, 1, /*of_meshes=*/false},
      {"tilt_error", &Imperfections::tilt_error, 1, /*of_meshes=*/false},
      {"distance_error", &Imperfections::distance_error, .5, /*of_meshes=*/false},
      {"gain_error", &Imperfections::gain_error, 1, /*of_meshes=*/false},
      {"curve_error", &Imperfections::curve_error, 1, /*of_meshes=*/false},
      {"amplitude_coupling", &Imperfections::amplitude_coupling, 1, /*of_meshes=*/false},
      {"loss_db", &Imperfections::loss_db, 100},
      {"crosstalk", &Imperfections::crosstalk, 0.5},
      {"drift", &Imperfections::drift, 100},
      {"error_drift", &Imperfections::error_drift, 100, /*of_meshes=*/false},
      {"relative_noise", &Imperfections::relative_noise, 1e6},
      {"additive_noise", &Imperfections::additive_noise, 1e6},
  };
  return fields;
}

void check_imperfections(const std::string& where, Imperfections imperfections) {
  for (const auto& field : imperfection_fields()) {
    const double value = (imperfections.*field.value)();
    OPTOTORCH_CHECK(value >= 0 && value <= field.most, .where = where, .argument = field.name,
                    .expected = c10::str("0 to ", field.most), .got = c10::str(value));
  }
  const int64_t bits = imperfections.phase_bits();
  OPTOTORCH_CHECK(bits >= 0 && bits <= 24, .where = where, .argument = "phase_bits",
                  .expected = "0 (any phase) to 24", .got = c10::str(bits));
}

}  // namespace optotorch
