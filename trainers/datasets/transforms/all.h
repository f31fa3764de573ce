#pragma once

// All transforms.

#include <optotorch/trainers/datasets/transforms/affine.h>
#include <optotorch/trainers/datasets/transforms/auto_augment.h>
#include <optotorch/trainers/datasets/transforms/blur.h>
#include <optotorch/trainers/datasets/transforms/color.h>
#include <optotorch/trainers/datasets/transforms/compose.h>
#include <optotorch/trainers/datasets/transforms/conversion.h>
#include <optotorch/trainers/datasets/transforms/crop.h>
#include <optotorch/trainers/datasets/transforms/describe_transform.h>
#include <optotorch/trainers/datasets/transforms/erasing.h>
#include <optotorch/trainers/datasets/transforms/flip.h>
#include <optotorch/trainers/datasets/transforms/image_transform.h>
#include <optotorch/trainers/datasets/transforms/perspective.h>
#include <optotorch/trainers/datasets/transforms/resize.h>
#include <optotorch/trainers/datasets/transforms/tone.h>
