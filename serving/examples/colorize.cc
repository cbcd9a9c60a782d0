// Colourises a photograph with an exported model, in C++, within the process.
//
//   colorize_cc MODEL_DIR PHOTO OUT_PREFIX [SEED]
//
// This is ../native/colorize.c without hints, and with
// tensorflow::LoadSavedModel, the function that TensorFlow Serving uses to load
// models. The function also returns the signatures, so the program needs only
// their names. `make -C serving/native` builds the program.
// TF_CPP_MIN_LOG_LEVEL=3 shortens TensorFlow's log.
//
// This is for programs that hold the model themselves. A client of a server
// needs no TensorFlow: it posts JSON, as curl.sh does, with any HTTP library.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "tensorflow/cc/saved_model/loader.h"
#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/platform/env.h"
#include "tensorflow/core/public/session.h"
#include "tensorflow/core/public/session_options.h"

using tensorflow::Tensor;
using tensorflow::tstring;

constexpr float kTemperature = 0.5f;  // as tfdivcolor.settings.DEFAULTS

// Prints one line and ends the process.
[[noreturn]] void Fail(const std::string& message) {
  std::cerr << "colorize_cc: " << message.substr(0, message.find('\n')) << "\n";
  std::exit(1);
}

template <typename T>
Tensor VectorOfOne(const T& value) {
  Tensor tensor(tensorflow::DataTypeToEnum<T>::value, {1});
  tensor.vec<T>()(0) = value;
  return tensor;
}

void Check(const absl::Status& status, const std::string& name) {
  if (!status.ok()) Fail(name + ": " + std::string(status.message()));
}

int main(int count, char** arguments) {
  if (count != 4 && count != 5)
    Fail("usage: colorize_cc MODEL_DIR PHOTO OUT_PREFIX [SEED]");
  const std::string model = arguments[1], photo = arguments[2];
  const int64_t seed = count == 5 ? std::strtoll(arguments[4], nullptr, 10) : 0;
  auto* env = tensorflow::Env::Default();
  std::string bytes;
  Check(tensorflow::ReadFileToString(env, photo, &bytes), photo);

  tensorflow::SavedModelBundle bundle;
  Check(tensorflow::LoadSavedModel({}, {}, model, {"serve"}, &bundle), model);
  const auto signature = bundle.GetSignatures().find("colorize");
  if (signature == bundle.GetSignatures().end())
    Fail(model + ": must have a signature colorize (received none)");
  const auto& inputs = signature->second.inputs();
  const auto& outputs = signature->second.outputs();
  std::vector<std::string> fetches = {outputs.at("colorized_bytes").name(),
                                      outputs.at("log_prob").name()};
  const auto share = outputs.find("share");
  if (share != outputs.end()) fetches.push_back(share->second.name());
  std::vector<Tensor> results;
  Check(bundle.GetSession()->Run(
            {{inputs.at("image_bytes").name(), VectorOfOne<tstring>(bytes)},
             {inputs.at("seed").name(), VectorOfOne(seed)},
             {inputs.at("temperature").name(), VectorOfOne(kTemperature)}},
            fetches, {}, &results),
        photo);

  const auto pictures = results[0].matrix<tstring>();  // [1, N]
  const auto log_prob = results[1].matrix<float>();    // [1, N], in nats
  for (int rank = 0; rank < pictures.dimension(1); ++rank) {
    const tstring& picture = pictures(0, rank);
    char ending[16];
    std::snprintf(ending, sizeof ending, "_%02d.%s", rank,
                  picture[0] == '\x89' ? "png" : "jpg");
    const std::string path = arguments[3] + std::string(ending);
    Check(tensorflow::WriteStringToFile(env, path, picture), path);
    std::cout << path << " " << log_prob(0, rank);
    if (results.size() > 2)  // share: [1, N], 0 to 1
      std::cout << " " << results[2].matrix<float>()(0, rank);
    std::cout << "\n";
  }
}
