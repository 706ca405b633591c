/*
 * Loads tuning files through the Raspberry Pi IPA modules that are compiled into libcamera.a, as the pipeline
 * handlers do when they find the sensor, but with no sensor: ipa_tuning SENSOR...
 *
 * Prints "pipeline NAME" for every pipeline handler inside, and for every rpi one and SENSOR
 * "NAME SENSOR FILE init RESULT controls CONTROL...". Exit code 1 if anything failed. libcamera's environment
 * variables (LIBCAMERA_IPA_CONFIG_PATH, LIBPISP_BE_CONFIG_FILE) say where the files are.
 *
 * It needs headers that libcamera does not install: `cross/setup` keeps them in usr/include/libcamera-private.
 */

#include <cstring>
#include <exception>
#include <iostream>
#include <string>

#include <libcamera/libcamera.h>

#include "libcamera/internal/camera_manager.h"
#include "libcamera/internal/ipa_manager.h"
#include "libcamera/internal/pipeline_handler.h"
#include "libcamera/internal/shared_mem_object.h"

#include <libcamera/ipa/raspberrypi_ipa_interface.h>
#include <libcamera/ipa/raspberrypi_ipa_proxy.h>

#ifdef HAVE_LIBPISP
#include <libpisp/backend/backend.hpp>
#include <libpisp/frontend/frontend.hpp>
#include <libpisp/variants/variant.hpp>
#endif

using namespace libcamera;

namespace {

bool load(CameraManager *manager, const PipelineHandlerFactoryBase *factory, const std::string &sensor)
{
	std::cout << factory->name() << " " << sensor << " " << std::flush;

	auto pipeline = factory->create(manager);
	auto ipa = pipeline->createIPA<ipa::RPi::IPAProxyRPi>(1, 1);
	if (!ipa) {
		std::cout << "no IPA module\n";
		return false;
	}

	const std::string file = ipa->configurationFile(sensor + ".json");
	if (file.empty()) {
		std::cout << "no tuning file\n";
		return false;
	}

	ipa::RPi::InitParams params;
	params.lensPresent = true;
	params.controllerMinFrameDurationUs = 33333;
	params.sensorInfo.model = sensor;
	params.sensorInfo.cfaPattern = 0;

#ifdef HAVE_LIBPISP
	/* The PiSP's front and back end live in shared memory that pipeline handler and IPA both map. */
	SharedMemObject<libpisp::FrontEnd> frontEnd;
	SharedMemObject<libpisp::BackEnd> backEnd;
	if (factory->name() == std::string("rpi/pisp")) {
		const auto &variant = libpisp::BCM2712_D0;
		frontEnd = SharedMemObject<libpisp::FrontEnd>("pisp_frontend", true, variant);
		backEnd = SharedMemObject<libpisp::BackEnd>("pisp_backend", libpisp::BackEnd::Config({}), variant);
		params.fe = frontEnd.fd();
		params.be = backEnd.fd();
	}
#endif

	ipa::RPi::InitResult result;
	const int ret = ipa->init(IPASettings(file, sensor), params, &result);
	std::cout << file << " init " << ret << " controls";
	for (const auto &[id, info] : result.controlInfo)
		std::cout << " " << id->name();
	std::cout << "\n";

	/* Autofocus is what the lens of this sensor is for: its controls come from the tuning file. */
	return ret == 0 && result.controlInfo.find(&controls::LensPosition) != result.controlInfo.end();
}

} /* namespace */

int main(int argc, char **argv)
{
	CameraManager manager;
	const int ret = manager.start();
	if (ret) {
		std::cout << "CameraManager::start " << ret << "\n";
		return 1;
	}

	bool good = true;
	for (const auto *factory : PipelineHandlerFactoryBase::factories())
		std::cout << "pipeline " << factory->name() << "\n";

	for (const auto *factory : PipelineHandlerFactoryBase::factories()) {
		if (std::strncmp(factory->name().c_str(), "rpi/", 4))
			continue;
		for (int i = 1; i < argc; i++) {
			try {
				good = load(&manager, factory, argv[i]) && good;
			} catch (const std::exception &e) {
				std::cout << "exception: " << e.what() << "\n";
				good = false;
			}
		}
	}

	manager.stop();
	return good ? 0 : 1;
}
