#include <optotorch/modules/describe.h>
#include <optotorch/modules/optics/ternary_readout.h>

namespace optotorch {

TernaryReadoutImpl::TernaryReadoutImpl(DiscreteReadoutOptions options_)
    : CloneableLayer("TernaryReadout", options_, /*centre=*/0, /*reach=*/1.5) {}

namespace {

const RegisteredPart ternary_readout_part(part_type<TernaryReadoutImpl>("TernaryReadout",
                                                                        DiscreteReadoutOptions(1, 1), 2));

}  // namespace
}  // namespace optotorch
