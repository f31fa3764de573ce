#include <optotorch/modules/describe.h>
#include <optotorch/modules/optics/boolean_readout.h>

namespace optotorch {

BooleanReadoutImpl::BooleanReadoutImpl(DiscreteReadoutOptions options_)
    : CloneableLayer("BooleanReadout", options_, /*centre=*/0.5, /*reach=*/0.5) {}

namespace {

const RegisteredPart boolean_readout_part(part_type<BooleanReadoutImpl>("BooleanReadout",
                                                                        DiscreteReadoutOptions(1, 1), 2));

}  // namespace
}  // namespace optotorch
